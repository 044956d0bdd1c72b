import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { engineSteps } from '../../../src/engine/run/engine-steps.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';
import { eventually } from '../../support/test-temporal.ts';
import { details, readRuns } from './workflow-runs.ts';

const [FORGE_ID, DOMAIN_ID, SINQ_ID] = [10000002, 10000043, 10000032];
const [FORGE, DOMAIN, SINQ] = [FORGE_ID, DOMAIN_ID, SINQ_ID].map((id) => `region/${id}`);
const ORDERS = 'market-orders';
const OF_A_RUN = 20_000; // bytes of history: a run of three pages has some 25 events, and rows would be 300 KB more

let app: TestApp;

beforeAll(async () => {
  app = await testApp({
    settings: { MARKET_REGIONS: [FORGE_ID, DOMAIN_ID, SINQ_ID].join(',') },
  });
  await app.startWorkers();
  expect(await app.collect({ collector: 'universe' })).toMatchObject({ outcome: 'published' });
});
afterAll(async () => {
  await app.close();
});

const runsOf = (workflowId: string) => readRuns(app.db, workflowId);
const requestsFor = (regionId: number) =>
  app.sim.requests().filter(({ path }) => path.startsWith(`/markets/${regionId}/`)).length;
/** Until the faults are cleared, every answer takes 10 s, the longest that ESI takes. */
const slow = (regionId: number) => app.sim.faults.latency(10_000, { route: `/markets/${regionId}/` });

describe('one target', () => {
  test('a target is published under its business id, with details in the UI and no rows in the history', async () => {
    const handle = await app.start({ collector: ORDERS, target: FORGE! });
    expect(await handle.result()).toMatchObject({ outcome: 'published', inserted: 2_500 });
    expect(await details(handle)).toBe('published: 2500 new, 0 changed, 0 removed');
    expect(await runsOf(`${ORDERS}/${FORGE}`)).toMatchObject([{ target: FORGE, outcome: 'published' }]);
    const { raw } = await handle.describe();
    expect(Number(raw.workflowExecutionInfo?.historySizeBytes)).toBeLessThan(OF_A_RUN);
    const { events } = await handle.fetchHistory();
    expect(JSON.stringify(events)).not.toMatch(/order_id|volume_remain/);
  });

  test('a run started under another id runs as a child with the business id', async () => {
    const summary = await app.collect({ collector: ORDERS, target: DOMAIN! }, 'by-hand-1');
    expect(summary).toEqual({ targets: 1, outcomes: { published: 1 } });
    expect(await runsOf(`${ORDERS}/${DOMAIN}`)).toHaveLength(1);
    expect(await runsOf('by-hand-1')).toEqual([]);
  });

  test('a target is not requested before it expires, and waitUntilDue waits for the next snapshot', async () => {
    const before = requestsFor(FORGE_ID);
    const hasty = await app.collect({ collector: ORDERS, target: FORGE! });
    expect(hasty).toMatchObject({
      outcome: 'not-due',
      detail: expect.stringContaining('Already up to date.'),
    });
    expect(requestsFor(FORGE_ID)).toBe(before);
    await app.nextSnapshot(FORGE_ID, new Date(Date.now() + 3_000));
    const handle = await app.start({ collector: ORDERS, target: FORGE!, waitUntilDue: true });
    expect(await eventually('the wait', () => details(handle))).toMatch(
      /^waiting until \d\d:\d\d UTC, when ESI has a newer snapshot$/,
    );
    expect(requestsFor(FORGE_ID)).toBe(before);
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
  });

  test('a target that is started twice at once runs once', async () => {
    await app.nextSnapshot(FORGE_ID);
    app.sim.resetCounters();
    slow(FORGE_ID);
    const handle = await app.start({ collector: ORDERS, target: FORGE! });
    await expect(app.start({ collector: ORDERS, target: FORGE! })).rejects.toBeInstanceOf(
      WorkflowExecutionAlreadyStartedError,
    );
    expect(await app.collect({ collector: ORDERS, target: FORGE! }, 'by-hand-2')).toEqual({
      targets: 1,
      outcomes: { 'already-running': 1 },
    });
    app.sim.faults.clear();
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
    expect(requestsFor(FORGE_ID)).toBe(3);
  });

  test('a step that is repeated after it published returns the same result', async () => {
    await app.collect({ collector: ORDERS, target: SINQ! });
    await app.nextSnapshot(SINQ_ID);
    const steps = engineSteps(app.context, {
      collector: ORDERS,
      target: SINQ!,
      workflowId: `${ORDERS}/${SINQ}`,
      workflowRunId: 'repeated',
    });
    const first = await steps.begin();
    expect(first).toMatchObject({ state: 'done', summary: { outcome: 'published' } });
    const requestCount = requestsFor(SINQ_ID);
    expect(await steps.begin()).toEqual(first);
    expect(requestsFor(SINQ_ID)).toBe(requestCount);
  });

  test('a cancelled run is closed with that reason, and the next run publishes', async () => {
    await app.nextSnapshot(FORGE_ID);
    slow(FORGE_ID);
    const handle = await app.start({ collector: ORDERS, target: FORGE! });
    await eventually('the run', async () => (await runsOf(handle.workflowId))[0]?.finished_at === null);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow(/cancelled/i);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    const [run] = await runsOf(handle.workflowId);
    expect(run).toMatchObject({ outcome: 'failed', error: 'The run was cancelled.' });
    app.sim.faults.clear();
    await app.nextSnapshot(FORGE_ID); // the next run would wait for the Expires that the cancelled one received
    const next = await app.collect({ collector: ORDERS, target: FORGE! });
    expect(next).toMatchObject({ outcome: 'published' });
  });

  test('a torn snapshot is read again, an unknown id is requested, and the snapshot is published whole', async () => {
    await app.nextSnapshot(DOMAIN_ID);
    await app.db.rows('DELETE FROM market_orders_public WHERE region_id = $1', [DOMAIN_ID]);
    const some = app.sim.world.snapshot(DOMAIN_ID).rows.slice(0, 20);
    await app.db.rows('DELETE FROM types WHERE type_id = ANY($1)', [some.map((row) => row.type_id)]);
    app.sim.faults.tear({ route: `/markets/${DOMAIN_ID}/`, times: 1 });
    const handle = await app.start({ collector: ORDERS, target: DOMAIN! });
    const result = await handle.result();
    const book = app.sim.world.snapshot(DOMAIN_ID).rows;
    expect(result).toMatchObject({ outcome: 'published', inserted: book.length });
    const { events = [] } = await handle.fetchHistory();
    const types = events?.map((e) => e.activityTaskScheduledEventAttributes?.activityType?.name);
    expect(types).toEqual(expect.arrayContaining(['begin', 'readChunk', 'enrich', 'publish']));
  });

  test('a run waits while ESI is unreachable, then publishes', async () => {
    await app.nextSnapshot(SINQ_ID);
    app.sim.resetCounters();
    app.sim.faults.down('reset');
    const handle = await app.start({ collector: ORDERS, target: SINQ! });
    await eventually('three failed requests', async () => requestsFor(SINQ_ID) >= 3);
    app.sim.faults.clear();
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
  });
});
