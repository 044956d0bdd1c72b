import { expect, test } from '@jest/globals';
import { type CapacityInput, planCapacity } from '../../src/app/capacity.ts';

const FORGE = 10000002;
const LARGE = [10000002, 10000043, 10000032, 10000042, 10000016, 10000030, 10000064, 10000033, 10000048];
const unknown = (ids: readonly number[]) => ids.map((id) => ({ id, pages: undefined, types: undefined }));
/** The nine large regions and 104 others. */
const ALL = unknown([...LARGE, ...Array.from({ length: 104 }, (_, i) => 11000001 + i)]);

const plan = (input: Partial<CapacityInput>) =>
  planCapacity({ regions: ALL, ordersEveryMs: 300_000, history: false, esiRateLimit: 300, ...input });

test('the plan for all regions every five minutes exceeds 300 requests per minute', () => {
  expect(plan({})).toEqual([
    {
      collector: 'market-orders',
      fits: false,
      text: expect.stringMatching(
        /^1,687 pages every 5 minutes need 337 requests per minute, but ESI_RATE_LIMIT is 300: reading all regions takes 5\.6 minutes/,
      ),
    },
  ]);
});

test('the plan fits with a higher limit, a longer interval or fewer regions', () => {
  for (const change of [
    { esiRateLimit: 400 },
    { ordersEveryMs: 360_000 },
    { regions: unknown([FORGE]) },
  ] satisfies Partial<CapacityInput>[]) {
    const lines = plan(change);
    expect(lines.map(({ fits }) => fits)).toEqual([true]);
  }
  expect(plan({ regions: unknown([FORGE]) })[0]!.text).toBe(
    '434 pages every 5 minutes need 86.8 requests per minute; ESI_RATE_LIMIT is 300.',
  );
});

test('the plan prefers the known size of an order book to estimates', () => {
  const [line] = plan({ regions: [{ id: FORGE, pages: 50, types: undefined }] });
  expect(line!.text).toContain('50 pages every 5 minutes need 10 requests per minute');
});

test('the plan reports ESI’s own limit for market orders as well as ESI_RATE_LIMIT', () => {
  const lines = plan({ ordersEveryMs: 120_000, esiRateLimit: 5_000 });
  expect(lines.map(({ fits }) => fits)).toEqual([true, false]);
  expect(lines[1]!.text).toContain(
    'ESI allows 12,000 for market orders: collection will run less often than configured',
  );
});

test('the plan is empty when no market orders and no history are collected', () => {
  expect(plan({ ordersEveryMs: undefined })).toEqual([]);
  expect(plan({ regions: [] })).toEqual([]);
  expect(plan({ regions: [], history: true })).toEqual([]);
});

test('the plan for market history uses what market orders leave of the limit', () => {
  const lines = plan({ regions: unknown([FORGE]), history: true });
  expect(lines[1]).toMatchObject({ collector: 'market-history', fits: true });
  // 19,000 types at 300 − 86.8 a minute.
  expect(lines[1]!.text).toContain('About 19,000 types a day at 213 requests per minute');
  expect(lines[1]!.text).toContain('89.1 minutes');
});

test('the plan for market history respects ESI’s hidden limit and ESI_RATE_LIMIT', () => {
  const alone = { regions: unknown([FORGE]), history: true, ordersEveryMs: undefined };
  expect(plan({ ...alone, esiRateLimit: 10_000 })[0]!.text).toContain('at 300 requests per minute');
  expect(plan({ ...alone, esiRateLimit: 100 })[0]!.text).toContain(
    'at 100 requests per minute (ESI_RATE_LIMIT)',
  );
});

test('the plan for market history that takes more than a day says how often each type is collected', () => {
  const lines = plan({ history: true, esiRateLimit: 340 });
  const history = lines.find(({ collector }) => collector === 'market-history')!;
  expect(history.fits).toBe(false);
  expect(history.text).toMatch(/more than a day: each type is collected every \d+(\.\d)? days/);
});
