import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../../src/engine/run/collect-target.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import { ANNA, advanceOneHour, characterTarget, ownerEngine } from '../../support/owner-engine.ts';

/** Orders whose end ESI states in an invalid row, or no longer states. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const DAY = 86_400_000;

async function begin(): Promise<number> {
  engine = await ownerEngine();
  await engine.collect('orders', ME);
  return engine.sim.owners.orders(ANNA)[0]!.order_id;
}
const order = async (id: number) =>
  (
    await engine.db.rows<{ state: string; left: boolean }>(
      'SELECT state, left_at IS NOT NULL AS left FROM character_orders WHERE order_id = $1',
      [id],
    )
  )[0];

test('an order whose history row is invalid is not taken for filled, also while the history answers 304', async () => {
  const victim = await begin();
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === victim ? { ...row, duration: 400 } : row),
    { route: '/orders/history' },
  );
  await advanceOneHour(engine, () => engine.sim.owners.cancelOrder(ANNA, victim));
  for (let hour = 0; hour < 3; hour++) {
    await engine.collect('orders', ME);
    expect(await order(victim)).toEqual({ state: 'active', left: true });
    await advanceOneHour(engine);
  }
  engine.sim.faults.clear();
  await advanceOneHour(engine, () =>
    engine.sim.owners.cancelOrder(ANNA, engine.sim.owners.orders(ANNA)[0]!.order_id),
  );
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'cancelled', left: true });
});

test('an order that the history lacks is filled, although the row of another one is invalid there', async () => {
  const victim = await begin();
  const filled = engine.sim.owners.orders(ANNA)[1]!.order_id;
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === victim ? { ...row, duration: 400 } : row),
    { route: '/orders/history' },
  );
  await advanceOneHour(engine, () => {
    engine.sim.owners.cancelOrder(ANNA, victim);
    engine.sim.owners.fillOrder(ANNA, filled);
  });
  for (let hour = 0; hour < 3; hour++) {
    await engine.collect('orders', ME);
    await advanceOneHour(engine);
  }
  expect(await order(victim)).toEqual({ state: 'active', left: true });
  expect(await order(filled)).toEqual({ state: 'filled', left: true });
});

test('an order that the history lacks is filled at its third reading, although a row there is null each time', async () => {
  const filled = await begin();
  const [, other] = engine.sim.owners.orders(ANNA);
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === other!.order_id ? undefined : row),
    {
      route: '/orders/history',
    },
  );
  await advanceOneHour(engine, () => {
    engine.sim.owners.cancelOrder(ANNA, other!.order_id);
    engine.sim.owners.fillOrder(ANNA, filled);
  });
  const found: unknown[] = [];
  for (let hour = 0; hour < 4; hour++) {
    await collectTarget(engine.restart(), { collector: 'orders', target: ME });
    found.push((await order(filled))?.state);
    await advanceOneHour(engine);
  }
  expect(found).toEqual(['active', 'active', 'filled', 'filled']);
});

test.each([
  [100, 'unknown'],
  [80, 'cancelled'],
])('an order that ended while nothing was collected for %d days is %s', async (days, state) => {
  const victim = await begin();
  engine.sim.owners.cancelOrder(ANNA, victim);
  engine.clock.advance(days * DAY);
  for (let hour = 0; hour < 2; hour++) {
    await advanceOneHour(engine);
    await engine.collect('orders', ME);
    expect(await order(victim)).toEqual({ state, left: true });
  }
});

const OPEN_ROUTE = '/characters/{character_id}/orders';
const states = () =>
  engine.db.rows<{ state: string; left: boolean; n: number }>(
    `SELECT state, left_at IS NOT NULL AS left, count(*) AS n FROM character_orders
      WHERE order_id = ANY($1) GROUP BY 1, 2 ORDER BY 1, 2`,
    [engine.sim.owners.orders(ANNA).map(({ order_id }) => order_id)],
  );

test('an order that the open list lacks once is not taken for filled', async () => {
  const victim = await begin();
  await advanceOneHour(engine);
  engine.sim.faults.mutateRows<{ order_id: number }>((row) => (row.order_id === victim ? null : row), {
    route: OPEN_ROUTE,
  });
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'active', left: true });
  engine.sim.faults.clear();
  await advanceOneHour(engine);
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'active', left: false });
});

test('an open list that is empty once does not mark orders as filled', async () => {
  await begin();
  const before = await states();
  await advanceOneHour(engine);
  engine.sim.faults.emptySnapshot({ route: OPEN_ROUTE, times: 1 });
  await engine.collect('orders', ME);
  expect(await states()).toEqual(before.map((row) => ({ ...row, left: true })));
  await advanceOneHour(engine);
  await engine.collect('orders', ME);
  expect(await states()).toEqual(before);
});

test('an order is not taken for filled while the history is empty', async () => {
  const victim = await begin();
  await advanceOneHour(engine, () => engine.sim.owners.cancelOrder(ANNA, victim));
  engine.sim.faults.emptySnapshot({ route: '/orders/history' });
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'active', left: true });
  engine.sim.faults.clear();
  await advanceOneHour(engine);
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'cancelled', left: true });
});

test('an order that has ended is not reopened by an outdated open list', async () => {
  const victim = await begin();
  const [row] = engine.sim.owners.orders(ANNA);
  await advanceOneHour(engine, () => engine.sim.owners.cancelOrder(ANNA, victim));
  await engine.collect('orders', ME);
  await advanceOneHour(engine);
  const [other] = engine.sim.owners.orders(ANNA);
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (open) => (open.order_id === other!.order_id ? row : open),
    { route: OPEN_ROUTE, times: 1 },
  );
  for (let hour = 0; hour < 3; hour++) {
    await engine.collect('orders', ME);
    expect(await order(victim)).toEqual({ state: 'cancelled', left: true });
    await advanceOneHour(engine);
  }
});

test('an order that expired with nothing remaining was filled, and keeps the state that ESI states', async () => {
  const victim = await begin();
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === victim ? { ...row, state: 'expired', volume_remain: 0 } : row),
    { route: '/orders/history' },
  );
  const other = engine.sim.owners.orders(ANNA)[1]!.order_id;
  await advanceOneHour(engine, () => {
    for (const id of [victim, other]) engine.sim.owners.cancelOrder(ANNA, id);
  });
  await engine.collect('orders', ME);
  const ended = await engine.db.rows<{ order_id: number; state: string; outcome: string }>(
    `SELECT order_id, state, outcome FROM owner_orders WHERE character_id = ${ANNA} AND order_id = ANY($1)`,
    [[victim, other]],
  );
  expect(new Map(ended.map(({ order_id, state, outcome }) => [order_id, [state, outcome]]))).toEqual(
    new Map([
      [victim, ['expired', 'filled']],
      [other, ['cancelled', 'cancelled']],
    ]),
  );
});
