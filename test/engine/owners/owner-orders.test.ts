import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  advance,
  ANNA,
  CORPORATION,
  logIn,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

const OPEN = 1_201_000; // ESI caches open orders for twenty minutes
const HOUR = 3_601_000; // and their history for an hour

let engine: TestEngine;
beforeEach(async () => {
  engine = await ownerEngine();
});
afterEach(() => engine.close());

const collect = (target = characterTarget(ANNA)) => engine.collect('orders', target);

const later = (ms: number, change?: () => unknown) => advance(engine, ms, change);

const stateOf = async (orderId: number, table = 'character_orders') =>
  (
    await engine.db.rows<{ state: string; left: boolean }>(
      `SELECT state, left_at IS NOT NULL AS left FROM ${table} WHERE order_id = $1`,
      [orderId],
    )
  )[0];

test('open orders and their history are stored, with is_buy_order false where ESI leaves it out', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published' });
  const open = engine.sim.owners.orders(ANNA);
  expect(open.length).toBeGreaterThan(3);
  const rows = await engine.db.rows<{ order_id: number; is_buy_order: boolean; escrow: string | null }>(
    `SELECT * FROM character_orders WHERE state = 'active' ORDER BY order_id`,
  );
  expect(rows.map((row) => [row.order_id, row.is_buy_order, row.escrow])).toEqual(
    open
      .toSorted((a, b) => a.order_id - b.order_id)
      .map((o) => [o.order_id, o.is_buy_order ?? false, o.escrow === undefined ? null : o.escrow.toFixed(2)]),
  );
  expect(engine.sim.offences()).toEqual([]);
});

test('an order that left the open list is filled unless the history states another end', async () => {
  await collect();
  const [filled, cancelled, expired, partly] = engine.sim.owners.orders(ANNA);
  const { owners } = engine.sim;
  await later(HOUR, () => {
    owners.fillOrder(ANNA, filled!.order_id);
    owners.cancelOrder(ANNA, cancelled!.order_id);
    owners.expireOrder(ANNA, expired!.order_id);
    owners.partFill(ANNA, partly!.order_id, 1);
  });
  await collect();
  expect(await stateOf(filled!.order_id)).toEqual({ state: 'active', left: true }); // absent once
  await later(HOUR);
  await collect();
  expect(await stateOf(filled!.order_id)).toEqual({ state: 'filled', left: true });
  expect(await stateOf(cancelled!.order_id)).toMatchObject({ state: 'cancelled' });
  expect(await stateOf(expired!.order_id)).toMatchObject({ state: 'expired' });
  expect(await stateOf(partly!.order_id)).toEqual({ state: 'active', left: false });
});

test('an order that left the open list stays active until a later history is read', async () => {
  await collect();
  const [filled, cancelled] = engine.sim.owners.orders(ANNA);
  await later(OPEN, () => {
    engine.sim.owners.fillOrder(ANNA, filled!.order_id);
    engine.sim.owners.cancelOrder(ANNA, cancelled!.order_id);
  });
  await collect(); // the history is not due yet
  expect(await stateOf(filled!.order_id)).toEqual({ state: 'active', left: true });
  expect(await stateOf(cancelled!.order_id)).toEqual({ state: 'active', left: true });
  await later(HOUR);
  await collect();
  expect(await stateOf(filled!.order_id)).toEqual({ state: 'filled', left: true });
  expect(await stateOf(cancelled!.order_id)).toMatchObject({ state: 'cancelled' });
});

test('an order whose row is invalid is not taken for filled', async () => {
  await collect();
  const [hidden] = engine.sim.owners.orders(ANNA);
  await later(OPEN);
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === hidden!.order_id ? { ...row, price: 'cheap' } : row),
    { route: '/characters/{character_id}/orders' },
  );
  await collect();
  expect(await stateOf(hidden!.order_id)).toEqual({ state: 'active', left: false });
  engine.sim.faults.clear();
  await later(HOUR);
  await collect();
  expect(await stateOf(hidden!.order_id)).toEqual({ state: 'active', left: false });
});

test('ended orders stay after ESI drops them', async () => {
  await collect();
  const closed = await engine.db.rows(`SELECT order_id FROM character_orders WHERE state <> 'active'`);
  expect(closed.length).toBeGreaterThan(0);
  await later(100 * 24 * HOUR);
  await logIn(engine, ANNA);
  await collect();
  const still = await engine.db.rows(`SELECT order_id FROM character_orders WHERE state <> 'active'`);
  expect(still).toEqual(expect.arrayContaining(closed));
});

test('orders of a corporation are stored with the character that issued them', async () => {
  expect(await collect(corporationTarget(CORPORATION))).toMatchObject({ outcome: 'published' });
  const rows = await engine.db.rows<{ issued_by: number | null; wallet_division: number }>(
    `SELECT issued_by, wallet_division FROM corporation_orders WHERE state = 'active'`,
  );
  expect(rows).toHaveLength(engine.sim.owners.orders(CORPORATION).length);
  expect(rows.every((row) => row.issued_by !== null && row.wallet_division >= 1)).toBe(true);
  const [filled] = engine.sim.owners.orders(CORPORATION);
  await later(HOUR, () => engine.sim.owners.fillOrder(CORPORATION, filled!.order_id));
  await collect(corporationTarget(CORPORATION));
  await later(HOUR);
  await collect(corporationTarget(CORPORATION));
  expect(await stateOf(filled!.order_id, 'corporation_orders')).toMatchObject({ state: 'filled' });
});
