import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import {
  expectExactBook,
  expectExactPast,
  rowVersions,
  FORGE,
  FORGE_ID,
  lastRun,
  orderRequests,
} from '../support/order-book.ts';
import { truncateStagingTables } from '../support/owner-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ churn: 0 });
  expect(await engine.collect('universe')).toMatchObject({ outcome: 'published' });
  engine.sim.resetCounters();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const world = () => engine.sim.world;
const collect = () => engine.collect('market-orders', FORGE);
const change = (at: number, patch: { price?: number; volume_remain?: number }) =>
  world().changeOrder(FORGE_ID, world().orders(FORGE_ID)[at]!.order_id, patch);

test('a first snapshot is published whole and writes no changes', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2500, changed: 0, removed: 0 });
  await expectExactBook(engine);
  expect(await engine.db.rows('SELECT count(*) AS n FROM market_order_changes')).toEqual([{ n: 0 }]);
  const { lastModified, expires } = world().snapshot(FORGE_ID);
  expect(await lastRun(engine)).toMatchObject({
    outcome: 'published',
    pages: 3,
    requests: 3,
    not_modified: 0,
    rows_read: 2500,
    rows_inserted: 2500,
    rows_rejected: 0,
    last_modified: lastModified,
    expires,
    error: null,
  });
});

test('every past order book is exact to the row', async () => {
  world().setChurn(0.02);
  for (let n = 0; n < 6; n++) {
    expect(await collect()).toMatchObject({ outcome: 'published' });
    engine.nextSnapshot();
  }
  expect(world().snapshots(FORGE_ID)).toHaveLength(6);
  await expectExactPast(engine);
});

test('nothing is requested before Expires', async () => {
  await collect();
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({
    outcome: 'not-due',
    detail: expect.stringMatching(/^Already up to date\. ESI's next update is at 14:0\d UTC\.$/) as unknown,
  });
  expect(engine.sim.requests()).toEqual([]);
  expect(await engine.db.rows(`SELECT count(*) AS n FROM collection_runs WHERE target = '${FORGE}'`)).toEqual(
    [{ n: 1 }],
  );
});

test('an unchanged snapshot answers 304 on every page and writes no row', async () => {
  await collect();
  const before = await rowVersions(engine, 'market_orders_public');
  for (let n = 0; n < 2; n++) {
    engine.nextSnapshot();
    engine.sim.resetCounters();
    expect(await collect()).toMatchObject({ outcome: 'unchanged', inserted: 0, changed: 0, removed: 0 });
    expect(orderRequests(engine).map((r) => r.status)).toEqual([304, 304, 304]);
    expect(await lastRun(engine)).toMatchObject({ requests: 3, not_modified: 3, rows_read: 0, pages: 3 });
  }
  expect(await rowVersions(engine, 'market_orders_public')).toEqual(before);
  expect(await rowVersions(engine, 'market_order_changes')).toEqual([]);
  expect(await engine.db.rows('SELECT DISTINCT observed_at FROM market_type_series')).toHaveLength(1);
});

test('only changed pages are transferred and only changed rows are written', async () => {
  await collect();
  const before = await rowVersions(engine, 'market_orders_public');
  engine.nextSnapshot();
  const { order_id } = change(1_500, { price: 77.25 });
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed: 1, removed: 0 });
  expect(
    orderRequests(engine)
      .map((r) => r.status)
      .toSorted((a, b) => a - b),
  ).toEqual([200, 304, 304]);
  expect(await lastRun(engine)).toMatchObject({
    requests: 3,
    not_modified: 2,
    rows_read: 1000,
    rows_changed: 1,
  });
  await expectExactBook(engine);
  const after = await rowVersions(engine, 'market_orders_public');
  expect(after.filter((row) => !before.includes(row))).toHaveLength(1);
  expect(await engine.db.rows('SELECT order_id, ended_by FROM market_order_changes')).toEqual([
    { order_id, ended_by: 'price' },
  ]);
});

test('rows of 304 pages are kept over any number of snapshots', async () => {
  await collect();
  for (const at of [100, 1_100, 2_100, 150]) {
    engine.nextSnapshot();
    change(at, { volume_remain: 1 });
    expect(await collect()).toMatchObject({ outcome: 'published', changed: 1, removed: 0 });
    await expectExactBook(engine);
  }
  engine.nextSnapshot();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  await expectExactPast(engine);
});

test('a snapshot with a page less removes only the rows of that page', async () => {
  await collect();
  engine.nextSnapshot();
  for (const { order_id } of world().orders(FORGE_ID).slice(2_000)) world().removeOrder(FORGE_ID, order_id);
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', removed: 500, changed: 0 });
  expect(orderRequests(engine).map((r) => r.status)).toEqual([304, 304]);
  await expectExactBook(engine);
  // The published set knows its rows, and nothing is kept of the pages before.
  const sets = 'SELECT run_id, rows FROM published_sets WHERE target = $1';
  const [set] = await engine.db.rows<{ run_id: number }>(sets, [FORGE]);
  expect(set).toMatchObject({ rows: 2_000 });
  expect(await engine.db.rows('SELECT DISTINCT run_id FROM stage.pages')).toEqual([{ run_id: set!.run_id }]);
});

test('after a restart the next run still knows Expires and ETags', async () => {
  await collect();
  engine.sim.resetCounters();
  const context = engine.restart();
  const again = () => collectTarget(context, { collector: 'market-orders', target: FORGE });
  expect(await again()).toMatchObject({ outcome: 'not-due' });
  engine.nextSnapshot();
  expect(await again()).toMatchObject({ outcome: 'unchanged' });
  expect(orderRequests(engine).map((r) => r.status)).toEqual([304, 304, 304]);
});

test('a page without a stored ETag is read in full', async () => {
  await collect();
  await engine.db.pool.query(`UPDATE stage.pages SET etag = NULL WHERE page = 2`);
  engine.nextSnapshot();
  change(1_500, { price: 5 });
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 1 });
  expect(orderRequests(engine).find((r) => r.path.endsWith('page=2'))?.ifNoneMatch).toBeUndefined();
  await expectExactBook(engine);
});

test('a crash of the database server, which empties the staging tables, costs a full read and no row', async () => {
  await collect();
  await truncateStagingTables(engine);
  engine.nextSnapshot();
  change(10, { price: 3 });
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 1, removed: 0, inserted: 0 });
  expect(orderRequests(engine).map((r) => r.status)).toEqual([200, 200, 200]);
  await expectExactBook(engine);
});
