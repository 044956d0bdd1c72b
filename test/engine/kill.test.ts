import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectTarget, engineSteps } from '../../src/engine/run/collect-target.ts';
import type { EngineContext, StepContext } from '../../src/engine/engine-context.ts';
import type { RunRef, Step } from '../../src/engine/run/run-steps.ts';
import { type TestEngine, testEngine } from '../support/engine.ts';
import {
  expectExactBook,
  expectExactPast,
  FORGE,
  FORGE_ID,
  lastRun,
  orderRequests,
} from '../support/orders.ts';

/** Runs that are killed, repeated, or not alone. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ churn: 0.01 });
  await engine.collect('universe');
  await engine.collect('market-orders', FORGE);
  engine.nextSet();
  engine.sim.resetCounters();
});
afterEach(async () => {
  await engine.close();
});

const KEY = { collector: 'market-orders', target: FORGE, workflowId: `market-orders/${FORGE}` };
const key = (workflowRunId: string, workflowId = KEY.workflowId) => ({ ...KEY, workflowId, workflowRunId });
const steps = (context: EngineContext = engine.context, step: StepContext = {}) => engineSteps(context, step);
const isReading = (step: Step) => step as Step & { state: 'read' };
const refOf = (step: Step): RunRef => ({ ...KEY, runId: isReading(step).runId });

async function readAll(step: Step, by = steps()): Promise<RunRef> {
  for (const chunk of isReading(step).chunks) await by.readChunk(refOf(step), chunk);
  return refOf(step);
}

/** Publishes and resolves until the run is done. */
async function finish(run: RunRef, by = steps()): Promise<Step> {
  let step = await by.publish(run, false);
  for (let n = 0; step.state !== 'done' && n < 5; n++) {
    if (step.state === 'read') await readAll(step, by);
    else await by.resolve(run);
    step = await by.publish(run, false);
  }
  return step;
}

test('a run that is killed in the middle of its pages goes on without asking the staged ones again', async () => {
  const stop = new AbortController();
  const dying = steps(engine.context, {
    signal: stop.signal,
    heartbeat: (detail) => {
      if ((detail as { page?: number }).page === 3) stop.abort(new Error('killed'));
    },
  });
  const first = await dying.begin(key('w1'));
  await dying.readChunk(refOf(first), { from: 2, to: 2 });
  await expect(dying.readChunk(refOf(first), { from: 3, to: 3 })).rejects.toThrow('killed');

  const again = await steps(engine.restart()).begin(key('w1'));
  expect(again).toMatchObject({ state: 'read', runId: isReading(first).runId });
  const run = await readAll(again);
  expect(await finish(run)).toMatchObject({ state: 'done', summary: { outcome: 'published' } });
  await expectExactBook(engine);
  const pages = orderRequests(engine).map((r) => /page=(\d+)/.exec(r.path)?.[1] ?? '1');
  expect(pages.toSorted()).toEqual(['1', '2', '3']);
  expect(engine.sim.offences()).toEqual([]);
});

test('every step can be repeated, and says the same', async () => {
  const by = steps();
  const first = await by.begin(key('w1'));
  const run = refOf(first);
  for (let n = 0; n < 2; n++) for (const chunk of isReading(first).chunks) await by.readChunk(run, chunk);
  const done = await finish(run);
  expect(done).toMatchObject({ state: 'done', summary: { outcome: 'published' } });
  const row = await lastRun(engine);
  for (let n = 0; n < 2; n++) {
    expect(await by.publish(run, false)).toEqual(done);
    expect(await by.publish(run, true)).toEqual(done);
    expect(await by.begin(key('w1'))).toEqual(done);
    await by.close(key('w1'), 'too late');
  }
  expect(await lastRun(engine)).toEqual(row);
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('what was read and not published leaves no ETag behind: the change still comes', async () => {
  const { order_id } = engine.sim.world.orders(FORGE_ID)[3]!;
  engine.sim.world.changeOrder(FORGE_ID, order_id, { price: 123.45 });
  const by = steps();
  await readAll(await by.begin(key('killed')));
  engine.nextSet();
  engine.sim.world.setChurn(0, FORGE_ID);
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  expect(
    await engine.db.rows('SELECT outcome, error FROM collection_runs WHERE workflow_run_id = $1', ['killed']),
  ).toEqual([{ outcome: 'failed', error: 'The run was ended from outside.' }]);
  engine.nextSet();
  await engine.collect('market-orders', FORGE);
  const stages = await engine.db.rows(
    `SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relname ~ '^r\\d+$'`,
  );
  expect(stages).toHaveLength(1); // of the set that stands
});

test('two runs of one target at once leave one exact book', async () => {
  const other = engine.restart();
  const [a, b] = [steps(), steps(other)];
  const [first, second] = await Promise.all([a.begin(key('w1', 'one')), b.begin(key('w2', 'two'))]);
  const runs = await Promise.all([readAll(first, a), readAll(second, b)]);
  const ends = await Promise.all([finish(runs[0], a), finish(runs[1], b)]);
  const outcomes = ends.map((step) => (step.state === 'done' ? step.summary.outcome : step.state));
  expect(outcomes.toSorted()).toEqual(['published', 'unchanged']);
  await expectExactBook(engine);
  await expectExactPast(engine);
  expect(await engine.db.rows('SELECT FROM collection_runs WHERE finished_at IS NULL')).toEqual([]);
});

test('a run that read against the set before last asks its 304 pages again', async () => {
  const { world } = engine.sim;
  world.setChurn(0, FORGE_ID);
  await engine.collect('market-orders', FORGE);
  engine.nextSet();
  const at = (n: number) => world.orders(FORGE_ID)[n]!;
  const before = at(2_450);
  // A twin publishes a set in which page 3 is another; then page 3 is as it was, and the slow run reads.
  world.changeOrder(FORGE_ID, before.order_id, { price: 5 });
  const fast = await steps().begin(key('w1', 'fast'));
  const fastRun = await readAll(fast);
  engine.nextSet();
  world.changeOrder(FORGE_ID, before.order_id, { price: before.price });
  world.changeOrder(FORGE_ID, at(10).order_id, { price: 6 });
  const slowRun = await readAll(await steps().begin(key('w2', 'slow')));
  expect(await finish(fastRun)).toMatchObject({ summary: { outcome: 'published', changed: 1 } });
  expect(await finish(slowRun)).toMatchObject({ summary: { outcome: 'published', changed: 2 } });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('whoever brings an older set than stands changes nothing', async () => {
  const slowRun = await readAll(await steps().begin(key('w1', 'slow')));
  engine.nextSet();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  expect(await finish(slowRun)).toMatchObject({
    summary: { outcome: 'unchanged', detail: 'a newer set was published meanwhile' },
  });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('a database connection that breaks while publishing costs the run, not the process nor a row', async () => {
  const run = await readAll(await steps().begin(key('w1')));
  // Publishers of a target queue on its row: the one who waits there is killed.
  await engine.db.transaction(async (client) => {
    await client.query(`SELECT FROM published_sets WHERE target = $1 FOR UPDATE`, [FORGE]);
    const publishing = steps()
      .publish(run, false)
      .catch((error: unknown) => error);
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
  expect(await finish(run)).toMatchObject({ summary: { outcome: 'published' } });
  await expectExactBook(engine);
});

test('pages that were staged long ago are read again when their set is over', async () => {
  const by = steps();
  const first = await by.begin(key('w1'));
  await by.readChunk(refOf(first), { from: 2, to: 2 });
  engine.nextSet();
  await by.readChunk(refOf(first), { from: 3, to: 3 });
  expect(await finish(refOf(first))).toMatchObject({ summary: { outcome: 'published' } });
  await expectExactBook(engine);
  expect(engine.sim.offences()).toEqual([]);
});

test('a run that cannot be finished is closed with its reason, and the next one goes on', async () => {
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

test('after a run that failed nothing is asked before the set that it saw expires', async () => {
  engine.sim.faults.status(500, { route: 'page=3' });
  await expect(engine.collect('market-orders', FORGE)).rejects.toMatchObject({ status: 500 });
  engine.sim.faults.clear();
  engine.sim.resetCounters();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'not-due' });
  expect(engine.sim.requests()).toEqual([]);
  engine.nextSet();
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});
