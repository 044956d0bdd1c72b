import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunningWorkers } from '../../../src/temporal/workers.ts';
import { type TestApp, testApp } from '../../support/test-app.ts';
import { eventually } from '../../support/test-temporal.ts';
import { testTemporalCli } from '../../support/temporal-cli.ts';
import { endOfNextRuns, failureOf, readRuns } from './workflow-runs.ts';

const [FORGE_ID, DOMAIN_ID, SINQ_ID, NOWHERE_ID] = [10000002, 10000043, 10000032, 10000099];
const [FORGE, SINQ, NOWHERE] = [FORGE_ID, SINQ_ID, NOWHERE_ID].map((id) => `region/${id}`);
const ORDERS = 'market-orders';

let app: TestApp;
let workers: RunningWorkers;

beforeAll(async () => {
  app = await testApp({
    settings: { MARKET_REGIONS: [FORGE_ID, DOMAIN_ID, SINQ_ID, NOWHERE_ID].join(',') },
  });
  workers = await app.startWorkers();
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

describe('all targets', () => {
  test('a target that fails is reported and recorded, the others are published', async () => {
    for (const id of [FORGE_ID, DOMAIN_ID, SINQ_ID]) await app.nextSnapshot(id);
    const summary = await app.collect({ collector: ORDERS }, 'all-targets-1');
    expect(summary).toEqual({ targets: 4, outcomes: { published: 3, failed: 1 } });
    expect(await runsOf(`${ORDERS}/${NOWHERE}`)).toMatchObject([
      {
        outcome: 'failed',
        error: expect.stringMatching(/^Region 10000099 does not exist\. The nearest are /),
      },
    ]);
    const handle = await app.start({ collector: ORDERS, target: NOWHERE! }, 'nowhere');
    expect(await failureOf(handle)).toMatch(/^Region 10000099 does not exist\. The nearest are /);
  });

  test('a target that is still running is skipped by a second run over all targets', async () => {
    for (const id of [FORGE_ID, SINQ_ID]) await app.nextSnapshot(id);
    const others = await endOfNextRuns(app, [`${ORDERS}/${SINQ}`, `${ORDERS}/${NOWHERE}`]);
    slow(FORGE_ID);
    const handle = await app.start({ collector: ORDERS }, 'all-targets-2');
    await eventually('the run', async () => (await runsOf(`${ORDERS}/${FORGE}`))[0]?.finished_at === null);
    await others();
    await app.nextSnapshot(SINQ_ID);
    const { outcomes } = await app.collect({ collector: ORDERS }, 'all-targets-3');
    expect(outcomes).toMatchObject({ 'already-running': 1, failed: 1, 'not-due': 1 }); // Sinq Laison is read
    app.sim.faults.clear();
    await handle.result();
  });

  test('cancelling a run over all targets cancels its children, and no run stays open', async () => {
    for (const id of [FORGE_ID, DOMAIN_ID]) await app.nextSnapshot(id);
    slow(FORGE_ID);
    const handle = await app.start({ collector: ORDERS }, 'all-targets-4');
    await eventually('the run', async () => (await runsOf(`${ORDERS}/${FORGE}`))[0]?.finished_at === null);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow(/cancelled/i);
    app.sim.faults.clear();
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect((await runsOf(`${ORDERS}/${FORGE}`))[0]).toMatchObject({ error: 'The run was cancelled.' });
    expect(await app.db.rows('SELECT * FROM collection_runs WHERE finished_at IS NULL')).toEqual([]);
  });
});

describe('on schedule', () => {
  test('a backfilled run of the past ends at once, a triggered one collects', async () => {
    await app.nextSnapshot(SINQ_ID);
    const schedule = await app.temporal.client.schedule.create({
      scheduleId: ORDERS,
      spec: { intervals: [{ every: '1 hour' }] },
      state: { paused: true },
      action: {
        type: 'startWorkflow',
        workflowType: 'collect',
        workflowId: ORDERS,
        taskQueue: 'collect',
        args: [{ collector: ORDERS, target: SINQ, staleAfter: 60_000 }],
      },
    });
    const resultOf = async (runs: number) => {
      const id = await eventually('the action', async () => {
        const { recentActions } = (await schedule.describe()).info;
        return recentActions.length === runs && recentActions.at(-1)?.action.workflow.workflowId;
      });
      return (await app.temporal.client.workflow.getHandle(id).result()) as unknown;
    };
    const requestCount = requestsFor(SINQ_ID);
    const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7_200_000;
    await schedule.backfill({
      start: new Date(hour - 1_000),
      end: new Date(hour + 1_000),
      overlap: 'ALLOW_ALL',
    });
    expect(await resultOf(1)).toMatchObject({
      outcome: 'not-due',
      detail: expect.stringMatching(/scheduled time has passed/),
    });
    expect(requestsFor(SINQ_ID)).toBe(requestCount);
    await schedule.trigger();
    expect(await resultOf(2)).toEqual({ targets: 1, outcomes: { published: 1 } });
  });
});

describe('workers', () => {
  test('workers that shut down hand over their run at once, and its staged pages are kept', async () => {
    await app.nextSnapshot(FORGE_ID);
    app.sim.resetCounters();
    app.sim.faults.latency(8_000, { route: `${FORGE_ID}/orders?order_type=all&page=3`, times: 1 });
    const handle = await app.start({ collector: ORDERS, target: FORGE! });
    await eventually('the last page', async () => requestsFor(FORGE_ID) === 3);
    const started = Date.now();
    await workers.stop();
    workers = await app.startWorkers();
    expect(await handle.result()).toMatchObject({ outcome: 'published' });
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(requestsFor(FORGE_ID)).toBe(4);
  });
});

describe('by hand', () => {
  test('a run is started by the temporal CLI with JSON input', async () => {
    await app.nextSnapshot(SINQ_ID);
    const cli = await testTemporalCli(path.join(import.meta.dirname, '..', '..', '..'));
    const { address, namespace } = app.temporal;
    const where = ['--address', address, '--namespace', namespace];
    const what = ['--type', 'collect', '--task-queue', 'collect', '--workflow-id', `${ORDERS}/${SINQ}`];
    const input = `{ "collector": "${ORDERS}", "target": "${SINQ}" }`;
    await promisify(execFile)(cli, ['workflow', 'start', ...where, ...what, '--input', input]);
    const result = await app.temporal.client.workflow.getHandle(`${ORDERS}/${SINQ}`).result();
    expect(result).toMatchObject({ outcome: 'published' });
  });

  test.each([
    [{}, /^Invalid input\. Use \{"collector"/],
    [{ collector: 'moon-dust' }, /^Unknown collector "moon-dust"\. Available: universe/],
    [{ collector: ORDERS, target: 'region/Jita' }, /^Invalid target "region\/Jita"\. Use region\/ID/],
    [{ collector: 'market-prices', target: FORGE! }, /takes no target/],
  ])('a wrong input %j fails with what is wrong and what is accepted', async (input, sentence) => {
    const handle = await app.start(input as { collector: string }, `wrong-${JSON.stringify(input)}`);
    expect(await failureOf(handle)).toMatch(sentence);
  });
});
