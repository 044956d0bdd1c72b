import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { EngineContext, StepContext } from '../../src/engine/engine-context.ts';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import type { TestEngine } from '../support/test-engine.ts';
import {
  expectExactBook,
  expectExactPast,
  FORGE,
  FORGE_ID,
  lastRun,
  orderEngine,
  orderRequests,
} from '../support/order-book.ts';
import { drive, driveUntil, assertRead } from '../support/drive-runs.ts';

/** Runs that are killed, repeated, or simultaneous. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await orderEngine();
});
afterEach(async () => {
  await engine.close();
});

const KEY = { collector: 'market-orders', target: FORGE, workflowId: `market-orders/${FORGE}` };
interface StepOptions {
  workflowId?: string;
  context?: EngineContext;
  step?: StepContext;
}
const steps = (workflowRunId: string, options: StepOptions = {}) => {
  const { workflowId = KEY.workflowId, context = engine.context, step } = options;
  return engineSteps(context, { ...KEY, workflowId, workflowRunId }, step);
};

test('a run that is killed between pages resumes without requesting staged pages again', async () => {
  const stop = new AbortController();
  const killed = steps('w1', {
    step: {
      signal: stop.signal,
      heartbeat: (detail) => {
        if ((detail as { page?: number }).page === 3) stop.abort(new Error('killed'));
      },
    },
  });
  const { run } = assertRead(await killed.begin());
  await killed.readChunk(run, { from: 2, to: 2 });
  await expect(killed.readChunk(run, { from: 3, to: 3 })).rejects.toThrow('killed');

  const again = steps('w1', { context: engine.restart() });
  expect(assertRead(await again.begin()).run).toEqual(run);
  expect(await drive(again)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  const pages = orderRequests(engine).map((r) => /page=(\d+)/.exec(r.path)?.[1] ?? '1');
  expect(pages.toSorted()).toEqual(['1', '2', '3']);
  expect(engine.sim.offences()).toEqual([]);
});

test('every step can be repeated and returns the same result', async () => {
  const by = steps('w1');
  const { run, chunks } = assertRead(await by.begin());
  for (let n = 0; n < 2; n++) for (const chunk of chunks) await by.readChunk(run, chunk);
  for (let n = 0; n < 2; n++) await by.enrich(run);
  const done = await by.publish(run, false);
  expect(done).toMatchObject({ state: 'done', summary: { outcome: 'published' } });
  const row = await lastRun(engine);
  for (let n = 0; n < 2; n++) {
    expect(await by.publish(run, false)).toEqual(done);
    expect(await by.publish(run, true)).toEqual(done);
    expect(await by.begin()).toEqual(done);
    await by.close(new Error('too late'));
  }
  expect(await lastRun(engine)).toEqual(row);
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('a run that was killed before publishing leaves no ETags, so its changes are published later', async () => {
  const { order_id } = engine.sim.world.orders(FORGE_ID)[3]!;
  engine.sim.world.changeOrder(FORGE_ID, order_id, { price: 123.45 });
  await driveUntil(steps('killed'), 'publish');
  engine.nextSnapshot();
  engine.sim.world.setChurn(0, FORGE_ID);
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  expect(
    await engine.db.rows('SELECT outcome, error FROM collection_runs WHERE workflow_run_id = $1', ['killed']),
  ).toEqual([{ outcome: 'failed', error: 'The run was ended from outside.' }]);
  engine.nextSnapshot();
  await engine.collect('market-orders', FORGE);
  const stages = await engine.db.rows(
    `SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relname ~ '^r\\d+$'`,
  );
  expect(stages).toEqual([]);
});

test('two simultaneous runs of one target publish one exact book', async () => {
  const other = engine.restart();
  const both = [steps('w1', { workflowId: 'one' }), steps('w2', { workflowId: 'two', context: other })];
  await Promise.all(both.map((by) => driveUntil(by, 'publish')));
  const ends = await Promise.all(both.map(drive));
  expect(ends.map(({ outcome }) => outcome).toSorted()).toEqual(['published', 'unchanged']);
  await expectExactBook(engine);
  await expectExactPast(engine);
  expect(await engine.db.rows('SELECT FROM collection_runs WHERE finished_at IS NULL')).toEqual([]);
});

test('a run whose base snapshot was replaced requests its 304 pages again', async () => {
  const { world } = engine.sim;
  world.setChurn(0, FORGE_ID);
  await engine.collect('market-orders', FORGE);
  engine.nextSnapshot();
  const at = (n: number) => world.orders(FORGE_ID)[n]!;
  const before = at(2_450);
  // The fast run publishes a snapshot with another page 3. Page 3 is as before when the slow run reads it.
  world.changeOrder(FORGE_ID, before.order_id, { price: 5 });
  const fast = steps('w1', { workflowId: 'fast' });
  await driveUntil(fast, 'publish');
  engine.nextSnapshot();
  world.changeOrder(FORGE_ID, before.order_id, { price: before.price });
  world.changeOrder(FORGE_ID, at(10).order_id, { price: 6 });
  const slow = steps('w2', { workflowId: 'slow' });
  await driveUntil(slow, 'publish');
  expect(await drive(fast)).toMatchObject({ outcome: 'published', changed: 1 });
  expect(await drive(slow)).toMatchObject({ outcome: 'published', changed: 2 });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('a snapshot older than the published one changes nothing', async () => {
  const slow = steps('w1', { workflowId: 'slow' });
  const run = await driveUntil(slow, 'publish');
  engine.nextSnapshot();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  expect(await slow.publish(run, false)).toMatchObject({
    summary: { outcome: 'unchanged', detail: 'a newer snapshot was published meanwhile' },
  });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('a database connection that breaks while publishing fails the step and loses no row', async () => {
  const by = steps('w1');
  const run = await driveUntil(by, 'publish');
  // Publishers of a target queue on its row. The one that waits there is killed.
  await engine.db.transaction(async (client) => {
    await client.query(`SELECT FROM published_sets WHERE target = $1 FOR UPDATE`, [FORGE]);
    const publishing = Promise.resolve(by.publish(run, false)).catch((error: unknown) => error);
    let killed = 0;
    while (killed === 0) {
      const { rowCount } = await engine.db.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%published_sets%'`,
      );
      killed = rowCount ?? 0;
    }
    expect(await publishing).toBeInstanceOf(Error);
  });
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('staged pages are read again when their snapshot has expired', async () => {
  const by = steps('w1');
  const { run } = assertRead(await by.begin());
  await by.readChunk(run, { from: 2, to: 2 });
  engine.nextSnapshot();
  await by.readChunk(run, { from: 3, to: 3 });
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('a failing run is closed with its reason, and the next one publishes', async () => {
  engine.sim.faults.down('503');
  await expect(collectTarget(engine.context, KEY)).rejects.toThrow(/503/);
  expect(await lastRun(engine)).toMatchObject({
    outcome: 'failed',
    requests: 3,
    error: expect.stringContaining('503'),
  });
  engine.sim.faults.clear();
  expect(await collectTarget(engine.context, KEY)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('after a failed run nothing is requested before the snapshot that it read expires', async () => {
  engine.sim.faults.status(500, { route: 'page=3' });
  await expect(engine.collect('market-orders', FORGE)).rejects.toMatchObject({ status: 500 });
  engine.sim.faults.clear();
  engine.sim.resetCounters();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'not-due' });
  expect(engine.sim.requests()).toEqual([]);
  engine.nextSnapshot();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('after a crash of the database server nothing is requested before what was read has expired', async () => {
  const by = steps('w1');
  const { run, chunks } = assertRead(await by.begin());
  await by.readChunk(run, { from: 2, to: 2 });
  await engine.db.pool.query(`TRUNCATE stage.pages, stage.r${run.runId}`);
  const requests = orderRequests(engine).length;
  const expires = engine.sim.world.snapshot(FORGE_ID).expires.getTime();
  for (const chunk of chunks) await by.readChunk(run, chunk);
  expect(await by.publish(run, false)).toMatchObject({ state: 'read', notBefore: expires });
  expect(await by.begin()).toEqual({ state: 'wait', until: expires + 500 });
  expect(orderRequests(engine)).toHaveLength(requests);
  engine.nextSnapshot();
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('the successor of a run that was killed requests nothing before what was read has expired', async () => {
  const { run } = assertRead(await steps('w1').begin());
  await steps('w1').readChunk(run, { from: 2, to: 2 });
  const requests = orderRequests(engine).length;
  const successor = steps('w2');
  expect(await successor.begin()).toMatchObject({ state: 'wait' });
  expect(orderRequests(engine)).toHaveLength(requests);
  engine.nextSnapshot();
  expect(await drive(successor)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('a run that finds its snapshot published by another one leaves no open run', async () => {
  const { pool } = engine.db;
  const other = steps('other', { workflowId: 'other' });
  // The other run does its work just after this one has opened its own.
  const openThenOther = async (text: string, values?: unknown[]) => {
    const result = await pool.query(text, values);
    if (text.startsWith('INSERT INTO collection_runs')) await drive(other);
    return result;
  };
  const delayed = new Proxy(pool, {
    get: (target, name) =>
      name === 'query' ? openThenOther : (Reflect.get(target, name) as (...args: unknown[]) => unknown),
  });
  const context = { ...engine.context, db: { ...engine.db, pool: delayed } };
  expect(await steps('w1', { context }).begin()).toMatchObject({ state: 'wait' });
  expect(await lastRun(engine)).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT FROM collection_runs WHERE finished_at IS NULL')).toEqual([]);
});
