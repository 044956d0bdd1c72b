import { afterEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../../support/engine.ts';
import { ANNA, anHourLater, ofCharacter, ownerEngine } from '../../support/owners.ts';

/** Orders whose end ESI tells of in a way that cannot be read, or tells no more. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = ofCharacter(ANNA);
const DAY = 86_400_000;

async function begin(): Promise<number> {
  engine = await ownerEngine();
  await engine.collect('orders', ME);
  return engine.sim.owners.orders(ANNA)[0]!.order_id;
}
const order = async (id: number) =>
  (
    await engine.db.rows<{ state: string; gone: boolean }>(
      'SELECT state, left_at IS NOT NULL AS gone FROM character_orders WHERE order_id = $1',
      [id],
    )
  )[0];

test('one whose row of the history cannot be read is not taken for filled, however often that answers 304', async () => {
  const victim = await begin();
  engine.sim.faults.mutateRows<{ order_id: number }>(
    (row) => (row.order_id === victim ? { ...row, duration: 400 } : row),
    { route: '/orders/history' },
  );
  await anHourLater(engine, () => engine.sim.owners.cancelOrder(ANNA, victim));
  for (let hour = 0; hour < 3; hour++) {
    await engine.collect('orders', ME);
    expect(await order(victim)).toEqual({ state: 'active', gone: true });
    await anHourLater(engine);
  }
  engine.sim.faults.clear();
  await anHourLater(engine, () =>
    engine.sim.owners.cancelOrder(ANNA, engine.sim.owners.orders(ANNA)[0]!.order_id),
  );
  await engine.collect('orders', ME);
  expect(await order(victim)).toEqual({ state: 'cancelled', gone: true });
});

test.each([
  [100, 'unknown'],
  [80, 'cancelled'],
])('one that left while nobody read for %d days is %s', async (days, state) => {
  const victim = await begin();
  engine.sim.owners.cancelOrder(ANNA, victim);
  engine.clock.advance(days * DAY);
  for (let hour = 0; hour < 2; hour++) {
    await anHourLater(engine);
    await engine.collect('orders', ME);
    expect(await order(victim)).toEqual({ state, gone: true });
  }
});
