import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunReport } from '../../src/cli/commands/run-command.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import {
  type CommandRunner,
  createCommandRunner,
  type RunningUp,
  simulatorSettings,
} from '../support/collector-process.ts';
import { emptyDatabase } from '../support/test-database.ts';
import { eventually, type TestTemporal, testTemporal } from '../support/test-temporal.ts';

const LARGE = 'region/10000002';

let sim: Simulator;
let temporal: TestTemporal;
let database: Awaited<ReturnType<typeof emptyDatabase>>;
let runner: CommandRunner;
let running: RunningUp;

/** One `up` on existing servers. */
beforeAll(async () => {
  [sim, temporal, database] = await Promise.all([
    startSimulator({ regions: { 10000002: 150_000, 10000032: 800 } }),
    testTemporal(),
    emptyDatabase(),
  ]);
  runner = await createCommandRunner({
    ...simulatorSettings(sim),
    DATABASE_URL: database.url,
    DATABASE_MAX_CONNECTIONS: '10',
    DATABASE_MIN_CONNECTIONS: '0',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    MARKET_REGIONS: '10000032',
  });
  running = await runner.up();
}, 90_000);
afterAll(async () => {
  await runner.close(); // kills `up`, whose servers are not its own
  await Promise.all([temporal.close(), database.drop(), sim.close()]);
});

const health = async () =>
  (await (await fetch(`${running.endpoints.http}/health`)).json()) as { status: string };

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('pause stops all requests within two seconds, and resume continues', async () => {
  const count = () => sim.requests().length;
  const waitForRequests = (from: number) => eventually('requests', async () => count() > from + 5, 30_000);
  expect((await runner.json<RunReport[]>('run', 'market-orders', LARGE, '--no-wait')).value).toEqual([
    { workflowId: `market-orders/${LARGE}` },
  ]);
  await waitForRequests(count());
  expect(await runner.json('pause', '--reason', 'repairs')).toEqual({
    code: 0,
    value: { paused: true, reason: 'repairs' },
  });
  await sleep(2_000);
  const paused = count();
  expect((await runner.run('status')).stdout).toMatch(/^Paused: .*\(reason: repairs\)/);
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { progress: { detail: 'paused: repairs' } },
  });
  await sleep(2_000);
  expect(count()).toBe(paused);
  expect((await runner.json('resume')).value).toEqual({ paused: false, reason: null });
  await waitForRequests(paused);
  expect(sim.offences()).toEqual([]);
}, 90_000);
