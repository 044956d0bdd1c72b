import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { testEngine, type TestEngine } from '../support/test-engine.ts';
import { drive, driveUntil } from '../support/drive-runs.ts';
import {
  expectExactBook,
  expectExactPast,
  FORGE,
  FORGE_ID,
  lastRun,
  orderEngine,
  orderRequests,
} from '../support/order-book.ts';

/** Rows are compared with the published ones as they are read: only those that differ are validated and staged. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await orderEngine();
});
afterEach(async () => {
  await engine.close();
});

const steps = (context: EngineContext, workflowRunId: string, workflowId = 'one') =>
  engineSteps(context, { collector: 'market-orders', target: FORGE, workflowId, workflowRunId });

const orderAt = (n: number) => engine.sim.world.orders(FORGE_ID)[n]!;
const stagedIds = async (runId: number) =>
  (await engine.db.rows<{ order_id: number }>(`SELECT order_id FROM stage.r${runId} ORDER BY 1`)).map(
    (row) => row.order_id,
  );

test('stages the rows that are new or changed, and nothing else', async () => {
  const { world } = engine.sim;
  world.setChurn(0, FORGE_ID);
  await engine.collect('market-orders', FORGE);
  engine.nextSnapshot();
  const changed = orderAt(5);
  world.changeOrder(FORGE_ID, changed.order_id, { price: changed.price + 1 });
  const added = world.addOrder(FORGE_ID);
  world.removeOrder(FORGE_ID, orderAt(7).order_id);
  await engine.db.pool.query('UPDATE esi_cache SET etag = $1', ['"none"']); // every page answers 200
  const by = steps(engine.context, 'w1');
  const run = await driveUntil(by, 'publish');
  expect(await stagedIds(run.runId)).toEqual([changed.order_id, added.order_id].toSorted((a, b) => a - b));
  expect(await drive(by)).toMatchObject({ outcome: 'published', inserted: 1, changed: 1, removed: 1 });
  const stage = await engine.db.rows(`SELECT to_regclass('stage.r${run.runId}') AS name`);
  expect(stage).toEqual([{ name: null }]); // dropped with the publication
  expect(await lastRun(engine)).toMatchObject({ rows_read: world.orders(FORGE_ID).length, not_modified: 0 });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('a process that has just started compares with the tables', async () => {
  const restarted = engine.restart();
  const by = steps(restarted, 'w1');
  const run = await driveUntil(by, 'publish');
  expect((await stagedIds(run.runId)).length).toBeLessThan(engine.sim.world.orders(FORGE_ID).length / 10);
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('pages that two processes have read are published by a third', async () => {
  const [second, third] = [engine.restart(), engine.restart()];
  const first = steps(engine.context, 'w1');
  const begun = await first.begin();
  if (begun.state !== 'read') throw new Error(begun.state);
  await first.readChunk(begun.run, { from: 2, to: 2 });
  await steps(second, 'w1').readChunk(begun.run, { from: 3, to: 3 });
  await steps(third, 'w1').enrich(begun.run);
  expect(await steps(third, 'w1').publish(begun.run, false)).toMatchObject({
    summary: { outcome: 'published' },
  });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('processes that publish in turn follow each other exactly', async () => {
  const contexts = [engine.context, engine.restart(), engine.restart()];
  for (let n = 0; n < 9; n++) {
    expect(await drive(steps(contexts[n % 3]!, `w${n}`))).toMatchObject({ outcome: 'published' });
    await expectExactBook(engine);
    engine.nextSnapshot();
  }
  await expectExactPast(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('rows that another run has replaced meanwhile are read again when they have expired', async () => {
  const slow = steps(engine.context, 'w1', 'slow');
  const other = engine.restart();
  const fast = steps(other, 'w2', 'fast');
  await driveUntil(fast, 'publish');
  engine.nextSnapshot();
  const run = await driveUntil(slow, 'publish');
  await drive(fast);
  const next = await slow.publish(run, false);
  expect(next).toMatchObject({ state: 'read', pages: 3, chunks: [{ from: 1, to: 3 }] });
  engine.nextSnapshot();
  expect(await drive(slow)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  await expectExactPast(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('rows that somebody has deleted or changed in the table are right again after an hour', async () => {
  await engine.collect('market-orders', FORGE);
  await engine.db.pool.query('DELETE FROM market_orders_public WHERE order_id % 2 = 0');
  await engine.db.pool.query('UPDATE market_orders_public SET price = 1 WHERE order_id % 3 = 0');
  engine.clock.advance(3_600_000);
  expect(await drive(steps(engine.context, 'w1'))).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('of a changed row and one as it was, of the same key, the one on the later page holds', async () => {
  const { world, faults } = engine.sim;
  world.setChurn(0, FORGE_ID);
  await engine.collect('market-orders', FORGE);
  const was = { ...orderAt(0) };
  const price = () =>
    engine.db.rows('SELECT price FROM market_orders_public WHERE order_id = $1', [was.order_id]);
  engine.nextSnapshot();
  faults.duplicateRow({ change: (row) => ({ ...row, price: 1.25 }) });
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published', changed: 1 });
  expect(await price()).toEqual([{ price: 1.25 }]);
  engine.nextSnapshot();
  faults.clear();
  world.changeOrder(FORGE_ID, was.order_id, { price: 9.75 });
  faults.duplicateRow({ change: (row) => ({ ...row, price: 1.25 }) });
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'unchanged' });
  expect(await price()).toEqual([{ price: 1.25 }]);
});

test('a row that was rejected stays rejected and counted, and the row that it replaced stays', async () => {
  const bad = orderAt(3);
  const { price } = bad;
  engine.sim.world.setChurn(0, FORGE_ID);
  await engine.collect('market-orders', FORGE);
  engine.sim.faults.mutateRows<{ order_id: number }>((row) =>
    row.order_id === bad.order_id ? { ...row, price: 'much' } : row,
  );
  for (let n = 0; n < 2; n++) {
    engine.nextSnapshot();
    engine.sim.world.changeOrder(FORGE_ID, orderAt(8).order_id, { price: 7 + n });
    expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published', removed: 0 });
    expect(await lastRun(engine)).toMatchObject({ rows_rejected: 1 });
  }
  const rows = await engine.db.rows('SELECT price FROM market_orders_public WHERE order_id = $1', [
    bad.order_id,
  ]);
  expect(rows).toEqual([{ price }]);
});

test('after a crash of the database server pages are requested whole and compared as before', async () => {
  await engine.db.pool.query('TRUNCATE stage.pages');
  const by = steps(engine.context, 'w1');
  const run = await driveUntil(by, 'publish');
  expect((await stagedIds(run.runId)).length).toBeLessThan(engine.sim.world.orders(FORGE_ID).length / 10);
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  expect(orderRequests(engine).every(({ status }) => status === 200)).toBe(true);
  await expectExactBook(engine);
});

test('a snapshot that is too large for the memory is compared in the database', async () => {
  const small = await testEngine({ churn: 0.01, snapshotCacheBytes: 10_000 });
  try {
    await small.collect('universe');
    for (let n = 0; n < 3; n++) {
      expect(await small.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
      await expectExactBook(small);
      small.nextSnapshot();
    }
    await expectExactPast(small);
    expect(small.sim.offences()).toEqual([]);
  } finally {
    await small.close();
  }
});
