import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { expectExactBook, FORGE, FORGE_ID, lastRun } from '../support/order-book.ts';

/** Ids in rows that no table has. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ churn: 0 });
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const world = () => engine.sim.world;
const collect = () => engine.collect('market-orders', FORGE);
const row = async (table: string, key: string, id: number) =>
  (await engine.db.rows(`SELECT * FROM ${table} WHERE ${key} = $1`, [id]))[0];

test('ids that the universe lacks are requested from ESI before the snapshot is published', async () => {
  const order = world().orders(FORGE_ID)[0]!;
  const type = world().types.get(order.type_id)!;
  const npc = world()
    .orders(FORGE_ID)
    .find((o) => o.location_id < 1e12)!;
  const station = world().stations.get(npc.location_id)!;
  world().hide('types', order.type_id);
  world().hide('stations', station.station_id);
  world().hide('systems', station.system_id);
  await engine.collect('universe');
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_500 });
  expect(await row('types', 'type_id', order.type_id)).toMatchObject({
    name: type.name,
    group_id: type.group_id,
    is_placeholder: false,
  });
  expect(await row('stations', 'station_id', station.station_id)).toMatchObject({ name: station.name });
  const requests = engine.sim.requests().filter((r) => r.route.startsWith('/universe/'));
  expect(requests.length).toBeGreaterThanOrEqual(2);
  expect(await lastRun(engine)).toMatchObject({ requests: 3 + requests.length });
  await expectExactBook(engine);
});

test('an id that ESI lacks too becomes a placeholder, and the snapshot is published', async () => {
  const order = world().orders(FORGE_ID)[0]!;
  world().forget('types', order.type_id);
  await engine.collect('universe');
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_500 });
  expect(await row('types', 'type_id', order.type_id)).toMatchObject({
    name: `unknown type ${order.type_id}`,
    is_placeholder: true,
  });
  await expectExactBook(engine);
  // The next import that has the type replaces the placeholder.
  world().reveal('types', order.type_id);
  world().setBuild(world().build + 1);
  engine.clock.advance(120_000);
  await engine.collect('universe');
  expect(await row('types', 'type_id', order.type_id)).toMatchObject({
    name: world().types.get(order.type_id)!.name,
    is_placeholder: false,
  });
});

test('player structures become placeholders without a request', async () => {
  await engine.collect('universe');
  const system = world().orders(FORGE_ID)[0]!.system_id;
  world().addOrder(FORGE_ID, { location_id: 1_035_466_617_946, system_id: system });
  world().takeSnapshot(FORGE_ID);
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_501 });
  expect(engine.sim.requests().map((r) => r.route)).toEqual(Array(3).fill('/markets/{region_id}/orders'));
  expect(await row('structures', 'structure_id', 1_035_466_617_946)).toMatchObject({
    name: 'unknown structure 1035466617946',
    system_id: system,
    is_placeholder: true,
  });
});

test('without a universe the market is published with few requests', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_500 });
  await expectExactBook(engine);
  // At most fifty ids of rows; a type or station may need its parents as well.
  const requests = engine.sim.requests().filter((r) => r.route.startsWith('/universe/'));
  expect(requests.length).toBeLessThan(250);
  const { n } = (
    await engine.db.rows<{ n: number }>('SELECT count(*) AS n FROM types WHERE is_placeholder')
  )[0]!;
  expect(n).toBeGreaterThan(0);
  await engine.collect('universe');
  expect(await engine.db.rows('SELECT FROM types WHERE is_placeholder')).toEqual([]);
  expect(await engine.db.rows('SELECT FROM stations WHERE is_placeholder')).toEqual([]);
});

test('an order can be removed although its type is unknown', async () => {
  await engine.collect('universe');
  await collect();
  const removed = world().orders(FORGE_ID)[0]!;
  world().removeOrder(FORGE_ID, removed.order_id);
  await engine.db.pool.query('DELETE FROM types WHERE type_id = $1', [removed.type_id]);
  for (const { order_id, type_id } of world().orders(FORGE_ID).slice())
    if (type_id === removed.type_id) world().removeOrder(FORGE_ID, order_id);
  engine.nextSnapshot();
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
}, 20_000);
