import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Order } from '../../simulator/index.ts';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import {
  DOMAIN,
  DOMAIN_ID,
  expectExactBook,
  rowVersions,
  FORGE,
  FORGE_ID,
  lastRun,
  readBook,
} from '../support/order-book.ts';

/** Invalid rows among valid ones. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ churn: 0 });
  await engine.collect('universe');
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = (target = FORGE) => engine.collect('market-orders', target);
const world = () => engine.sim.world;
const orderAt = (at: number) => world().orders(FORGE_ID)[at]!;
const rejected = () =>
  engine.db.rows<{ row: Record<string, unknown>; reason: string }>(
    'SELECT row, reason FROM rejected_rows ORDER BY id',
  );

/** Makes ESI serve one order of The Forge with changes. */
function serveChanged(order: Order, change: (row: Record<string, unknown>) => unknown): void {
  engine.sim.faults.mutateRows((row) =>
    'order_id' in row && row.order_id === order.order_id ? change({ ...row }) : row,
  );
}

const BAD: Record<string, [patch: Record<string, unknown>, reason: RegExp]> = {
  'a price as text': [{ price: '12.5' }, /^price: .*number/],
  'no price': [{ price: null }, /^price: .*null/],
  'a negative price': [{ price: -1 }, /^price: /],
  'an absurd price': [{ price: 1e15 }, /^price: /],
  'a fractional volume': [{ volume_remain: 0.5 }, /^volume_remain: /],
  'no duration': [{ duration: undefined }, /^duration: /],
  'a day that does not exist': [{ issued: '2026-02-30T12:00:00Z' }, /^issued: /],
  'a year that no calendar has': [{ issued: '0000-01-01T00:00:00Z' }, /^issued: /],
  'a type id beyond all bounds': [{ type_id: 1e30 }, /^type_id: /],
  'a lone surrogate, and no price': [{ range: '\ud83d', price: null }, /^price: /],
  'a text with U+0000, and no price': [{ range: 'a\0b', price: null }, /^price: /],
};

test.each(Object.entries(BAD))(
  'a row with %s is rejected and the rest is published',
  async (_, [patch, reason]) => {
    const bad = orderAt(1_200);
    serveChanged(bad, (row) => ({ ...row, ...patch }));
    expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_499 });
    const book = await readBook(engine);
    expect(book.some((row) => row.order_id === bad.order_id)).toBe(false);
    expect(await rejected()).toEqual([{ row: expect.anything(), reason: expect.stringMatching(reason) }]);
    expect(await lastRun(engine)).toMatchObject({ rows_read: 2_500, rows_rejected: 1, rows_inserted: 2_499 });
    // Without the fault the order is added, and nothing else.
    engine.sim.faults.clear();
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published', inserted: 1, changed: 0, removed: 0 });
    await expectExactBook(engine);
  },
);

test('a bare NaN rejects one row, not the page', async () => {
  const rows = world().snapshot(FORGE_ID).rows.slice(0, 3);
  const text = JSON.stringify(rows).replace(/"price":[\d.]+/, '"price":NaN');
  engine.sim.faults.rawBody(text, { route: '/markets/10000002/orders', times: 1 });
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2 });
  expect(await rejected()).toEqual([
    { row: { ...rows[0], price: null }, reason: expect.stringMatching(/^price/) },
  ]);
});

test('an order whose new row is invalid keeps its published row, also while its page answers 304', async () => {
  await collect();
  engine.nextSnapshot();
  const bad = orderAt(1_200);
  serveChanged(bad, (row) => ({ ...row, price: 'NaN' }));
  world().changeOrder(FORGE_ID, orderAt(10).order_id, { price: 8.5 });
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 1, removed: 0 });
  expect((await readBook(engine)).find((row) => row.order_id === bad.order_id)?.price).toBe(bad.price);
  engine.nextSnapshot(); // page 2 has the same fault and answers 304
  world().changeOrder(FORGE_ID, orderAt(11).order_id, { price: 9.5 });
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 1, removed: 0 });
  expect((await readBook(engine)).find((row) => row.order_id === bad.order_id)?.price).toBe(bad.price);
});

test.each([
  ['no order_id', { order_id: undefined }],
  ['an order_id beyond 2^63', { order_id: 2 ** 63 }],
])(
  'a row with %s may be any order: nothing is removed, also while the page answers 304',
  async (_, patch) => {
    await collect();
    engine.nextSnapshot();
    const bad = orderAt(1_200);
    serveChanged(bad, (row) => ({ ...row, ...patch }));
    world().removeOrder(FORGE_ID, orderAt(2_400).order_id);
    expect(await collect()).toMatchObject({ outcome: 'unchanged', removed: 0 });
    engine.nextSnapshot();
    world().changeOrder(FORGE_ID, orderAt(10).order_id, { price: 8.5 });
    expect(await collect()).toMatchObject({ outcome: 'published', changed: 1, removed: 0 });
    expect(await readBook(engine)).toHaveLength(2_500);
    engine.sim.faults.clear();
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published', removed: 1 });
    await expectExactBook(engine);
  },
);

test.each([['null'], ['an order without its id']])(
  '%s in each snapshot keeps the orders that are gone for two readings only, also across restarts',
  async (what) => {
    await collect();
    const bad = orderAt(1_200);
    serveChanged(bad, (row) => (what === 'null' ? undefined : { ...row, order_id: undefined }));
    const gone = orderAt(2_400).order_id;
    world().removeOrder(FORGE_ID, gone);
    const results: unknown[] = [];
    for (let reading = 1; reading <= 4; reading++) {
      engine.nextSnapshot();
      const context = engine.restart();
      const { removed } = await collectTarget(context, { collector: 'market-orders', target: FORGE });
      results.push(removed);
    }
    // The order whose row has no id is gone as well, as far as anybody can tell.
    expect(results).toEqual([0, 0, 2, 0]);
    const left = await readBook(engine);
    expect(left).toHaveLength(2_498);
    // Two snapshots without such a row, and the count begins anew.
    engine.sim.faults.clear();
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published', inserted: 1 });
    await expectExactBook(engine);
    serveChanged(bad, () => undefined);
    world().removeOrder(FORGE_ID, orderAt(2_000).order_id);
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ removed: 0 });
  },
);

test('a new order whose row is invalid does not make later snapshots look torn', async () => {
  const bad = orderAt(1_200);
  serveChanged(bad, (row) => ({ ...row, price: null }));
  await collect();
  for (let n = 0; n < 2; n++) {
    engine.nextSnapshot();
    world().changeOrder(FORGE_ID, orderAt(10 + n).order_id, { price: 8.5 });
    expect(await collect()).toMatchObject({ outcome: 'published', changed: 1 });
  }
});

test('unknown fields are ignored, unknown values of text columns are stored', async () => {
  const unusual = orderAt(5);
  serveChanged(unusual, (row) => ({
    ...row,
    range: 'a quarter\tof\\the\ngalaxy',
    colour: 'blue',
    nested: { a: [1] },
  }));
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_500 });
  expect(
    await engine.db.rows('SELECT range FROM market_orders_public WHERE order_id = $1', [unusual.order_id]),
  ).toEqual([{ range: 'a quarter\tof\\the\ngalaxy' }]);
  expect(await rejected()).toEqual([]);
});

test('a snapshot in which a third of the rows is invalid is refused', async () => {
  await collect();
  const before = await rowVersions(engine, 'market_orders_public');
  engine.nextSnapshot();
  engine.sim.faults.mutateRows((row) =>
    'order_id' in row && row.order_id % 10 < 3 ? { ...row, price: '1' } : row,
  );
  expect(await collect()).toMatchObject({
    outcome: 'refused',
    detail: expect.stringMatching(/ of 2500 rows failed/),
  });
  expect(await rowVersions(engine, 'market_orders_public')).toEqual(before);
  expect((await rejected()).length).toBe(300); // at most a hundred of each page are stored
  engine.sim.faults.clear();
  engine.nextSnapshot();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
});

test('a rejected row of megabytes is stored truncated', async () => {
  serveChanged(orderAt(0), (row) => ({ ...row, price: null, range: '😀'.repeat(500_000) }));
  await collect();
  const [row] = await engine.db.rows<{ n: number }>('SELECT length(row::text) AS n FROM rejected_rows');
  expect(row!.n).toBeLessThan(10_000);
});

test('an order of another region’s book is rejected', async () => {
  await collect();
  const foreign = orderAt(7);
  engine.sim.faults.mutateRows(
    (row) =>
      'order_id' in row && row.order_id === world().orders(DOMAIN_ID)[3]!.order_id ? { ...foreign } : row,
    { route: '/markets/10000043/orders' },
  );
  expect(await collect(DOMAIN)).toMatchObject({ outcome: 'published', inserted: 1_199 });
  expect(await rejected()).toEqual([
    {
      row: expect.objectContaining({ order_id: foreign.order_id }),
      reason: expect.stringContaining('another region'),
    },
  ]);
  await expectExactBook(engine);
  engine.nextSnapshot();
  world().changeOrder(DOMAIN_ID, world().orders(DOMAIN_ID)[9]!.order_id, { price: 1.5 });
  expect(await collect(DOMAIN)).toMatchObject({ outcome: 'published', changed: 1 });
});

test('an order with null for its least volume accepts any volume', async () => {
  const order = orderAt(5);
  serveChanged(order, (row) => ({ ...row, min_volume: null }));
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_500 });
  expect(
    await engine.db.rows('SELECT min_volume FROM market_orders_public WHERE order_id = $1', [order.order_id]),
  ).toEqual([{ min_volume: 1 }]);
});
