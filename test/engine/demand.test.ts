import { expect, test } from '@jest/globals';
import { type CapacityInput, planCapacity } from '../../src/app/capacity.ts';

const FORGE = 10000002;
const LARGE = [10000002, 10000043, 10000032, 10000042, 10000016, 10000030, 10000064, 10000033, 10000048];
const unknown = (ids: readonly number[]) => ids.map((id) => ({ id, pages: undefined, types: undefined }));
/** The nine large regions and 104 others. */
const ALL = unknown([...LARGE, ...Array.from({ length: 104 }, (_, i) => 11000001 + i)]);

const plan = (input: Partial<CapacityInput>) =>
  planCapacity({ regions: ALL, ordersEveryMs: 300_000, history: false, esiRateLimit: 300, ...input });

test('all regions every five minutes need 337 requests a minute; at 300 a sweep takes 5.6 minutes', () => {
  expect(plan({})).toEqual([
    {
      collector: 'market-orders',
      fits: false,
      text: expect.stringMatching(
        /^1,687 pages every 5 minutes are 337 requests a minute, and ESI_RATE_LIMIT is 300: a sweep takes 5\.6 minutes/,
      ),
    },
  ]);
});

test('a higher limit, a longer interval or fewer regions fit', () => {
  for (const change of [
    { esiRateLimit: 400 },
    { ordersEveryMs: 360_000 },
    { regions: unknown([FORGE]) },
  ] satisfies Partial<CapacityInput>[]) {
    const lines = plan(change);
    expect(lines.map(({ fits }) => fits)).toEqual([true]);
  }
  expect(plan({ regions: unknown([FORGE]) })[0]!.text).toBe(
    '434 pages every 5 minutes are 86.8 requests a minute; ESI_RATE_LIMIT is 300.',
  );
});

test('what is known of a book goes before estimates', () => {
  const [line] = plan({ regions: [{ id: FORGE, pages: 50, types: undefined }] });
  expect(line!.text).toContain('50 pages every 5 minutes are 10 requests a minute');
});

test('more than ESI’s bucket for market orders holds is told beside our own ceiling', () => {
  const lines = plan({ ordersEveryMs: 120_000, esiRateLimit: 5_000 });
  expect(lines.map(({ fits }) => fits)).toEqual([true, false]);
  expect(lines[1]!.text).toContain('12000');
});

test('nothing configured is nothing to tell', () => {
  expect(plan({ ordersEveryMs: undefined })).toEqual([]);
  expect(plan({ regions: [] })).toEqual([]);
});

test('the history of The Forge takes some hours at what the market and backfills leave', () => {
  const lines = plan({ regions: unknown([FORGE]), history: true });
  expect(lines[1]).toMatchObject({ collector: 'market-history', fits: true });
  // 19,000 types at 300 − 86.8 a minute.
  expect(lines[1]!.text).toContain('some 19,000 types a day at 213 a minute');
  expect(lines[1]!.text).toContain('89.1 minutes');
});

test('history is never faster than ESI’s hidden limit, nor than a backfill’s share of the ceiling', () => {
  const alone = { regions: unknown([FORGE]), history: true, ordersEveryMs: undefined };
  expect(plan({ ...alone, esiRateLimit: 10_000 })[0]!.text).toContain('at 300 a minute');
  expect(plan({ ...alone, esiRateLimit: 100 })[0]!.text).toContain('at 80 a minute');
});

test('history that takes more than a day says how often each type comes round', () => {
  const lines = plan({ history: true, esiRateLimit: 340 });
  const history = lines.find(({ collector }) => collector === 'market-history')!;
  expect(history.fits).toBe(false);
  expect(history.text).toMatch(/more than a day\. Each type comes round every \d+(\.\d)? days/);
});
