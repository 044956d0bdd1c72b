import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Order } from '../../simulator/index.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { FORGE, FORGE_ID } from '../support/order-book.ts';

/** The series derived from the order book: figures per type, and the events of an order. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ churn: 0, regions: { [FORGE_ID]: 400 } });
  await engine.collect('universe');
  await engine.collect('market-orders', FORGE);
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const world = () => engine.sim.world;
const orders = () => world().orders(FORGE_ID);

async function nextSnapshot(): Promise<Date> {
  engine.nextSnapshot();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  return world().snapshot(FORGE_ID).lastModified;
}

function figures(typeId: number, rows: readonly Order[]) {
  const of = (buy: boolean) => rows.filter((o) => o.type_id === typeId && o.is_buy_order === buy);
  const volume = (list: readonly Order[]) => list.reduce((sum, o) => sum + o.volume_remain, 0);
  const [bids, asks] = [of(true), of(false)];
  const bid = bids.length > 0 ? Math.max(...bids.map((o) => o.price)) : null;
  const ask = asks.length > 0 ? Math.min(...asks.map((o) => o.price)) : null;
  return {
    type_id: typeId,
    best_bid: bid,
    best_ask: ask,
    spread: bid === null || ask === null ? null : ask - bid,
    bid_volume: volume(bids),
    ask_volume: volume(asks),
    bid_orders: bids.length,
    ask_orders: asks.length,
  };
}

const series = (where: string, values: unknown[] = []) =>
  engine.db.rows(
    `SELECT type_id, best_bid, best_ask, spread, bid_volume, ask_volume, bid_orders, ask_orders
       FROM market_type_series WHERE ${where} ORDER BY type_id, observed_at`,
    values,
  );

test('the first snapshot gives one row of figures for each type', async () => {
  const types = [...new Set(orders().map((o) => o.type_id))].toSorted((a, b) => a - b);
  expect(await series('true')).toEqual(types.map((id) => figures(id, orders())));
});

test('later snapshots give rows only for types whose figures changed', async () => {
  const ofType = (id: number) => orders().filter((o) => o.type_id === id);
  const byType = [...new Set(orders().map((o) => o.type_id))].map(ofType);
  const several = byType.find((list) => list.filter((o) => !o.is_buy_order).length > 1)!;
  const asks = several.filter((o) => !o.is_buy_order).toSorted((a, b) => a.price - b.price);
  const [best, worst] = [asks[0]!, asks.at(-1)!];
  const alone = byType.find((list) => list.length === 1)![0]!;
  // The highest ask becomes higher still: the book changes, the figures do not.
  world().changeOrder(FORGE_ID, worst.order_id, { price: worst.price + 1 });
  expect(await series('observed_at = $1', [await nextSnapshot()])).toEqual([]);
  world().changeOrder(FORGE_ID, best.order_id, { volume_remain: best.volume_remain + 5 });
  world().removeOrder(FORGE_ID, alone.order_id); // its type has no orders left
  const changed = [best.type_id, alone.type_id].toSorted((a, b) => a - b);
  const at = await nextSnapshot();
  expect(await series('observed_at = $1', [at])).toEqual(changed.map((id) => figures(id, orders())));
  expect(await series('type_id = $1 AND observed_at = $2', [alone.type_id, at])).toEqual([
    { ...figures(alone.type_id, []), bid_orders: 0, ask_orders: 0, best_bid: null, best_ask: null },
  ]);
  world().addOrder(FORGE_ID, { ...alone, order_id: alone.order_id });
  expect(await series('observed_at = $1', [await nextSnapshot()])).toEqual([
    figures(alone.type_id, orders()),
  ]);
});

test('after many snapshots the newest figures of each type match the book', async () => {
  world().setChurn(0.05, FORGE_ID);
  for (let n = 0; n < 6; n++) await nextSnapshot();
  const newest = await engine.db.rows<{ type_id: number }>(
    `SELECT DISTINCT ON (type_id) type_id, best_bid, best_ask, spread, bid_volume, ask_volume, bid_orders, ask_orders
       FROM market_type_series ORDER BY type_id, observed_at DESC`,
  );
  const shown = world().snapshot(FORGE_ID).rows;
  expect(newest).toEqual(newest.map(({ type_id }) => figures(type_id, shown)));
  const repeated = await engine.db.rows(
    `SELECT FROM (SELECT (best_bid, best_ask, bid_volume, ask_volume, bid_orders, ask_orders) IS NOT DISTINCT FROM
       lag((best_bid, best_ask, bid_volume, ask_volume, bid_orders, ask_orders)) OVER w AS same
       FROM market_type_series WINDOW w AS (PARTITION BY type_id ORDER BY observed_at)) s WHERE same`,
  );
  expect(repeated).toEqual([]);
});

test('market_order_events lists the events of an order: opened, price, volume, closed, opened again', async () => {
  const start = world().snapshot(FORGE_ID).lastModified;
  const { order_id, price, volume_total, volume_remain } = world().changeOrder(
    FORGE_ID,
    orders()[9]!.order_id,
    {},
  );
  const expected: [string, Date][] = [['opened', start]];
  world().changeOrder(FORGE_ID, order_id, { price: price + 1 });
  expected.push(['price', await nextSnapshot()]);
  world().changeOrder(FORGE_ID, order_id, { volume_remain: volume_remain + 1 });
  expected.push(['volume', await nextSnapshot()]);
  world().changeOrder(FORGE_ID, order_id, { price: price + 2, volume_remain: volume_remain + 2 });
  const both = await nextSnapshot();
  expected.push(['price', both], ['volume', both]);
  world().changeOrder(FORGE_ID, order_id, { volume_total: volume_total + 10 }); // no event of its own
  await nextSnapshot();
  const order = orders().find((o) => o.order_id === order_id)!;
  world().removeOrder(FORGE_ID, order_id);
  expected.push(['closed', await nextSnapshot()]);
  world().addOrder(FORGE_ID, order);
  expected.push(['opened', await nextSnapshot()]);
  const events = await engine.db.rows(
    'SELECT * FROM market_order_events WHERE order_id = $1 ORDER BY at, event',
    [order_id],
  );
  expect(events.map((e) => [e['event'], e['at']])).toEqual(expected);
  expect(events[1]).toMatchObject({ old_price: price, price: price + 1 });
  expect(events[2]).toMatchObject({ old_volume_remain: volume_remain, volume_remain: volume_remain + 1 });
  expect(events[5]).toMatchObject({ old_price: price + 2, price: null });
});
