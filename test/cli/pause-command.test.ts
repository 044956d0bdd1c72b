import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunReport } from '../../src/cli/commands/run-command.ts';
import type { Simulator } from '../../simulator/index.ts';
import type { CommandRunner } from '../support/collector-process.ts';
import { startTestUp, type TestUp } from '../support/running-up.ts';
import { eventually } from '../support/test-temporal.ts';

const LARGE = 'region/10000002';

let sim: Simulator;
let runner: CommandRunner;
let up: TestUp;

/** One `up` on existing servers. */
beforeAll(async () => {
  up = await startTestUp({ regions: { 10000002: 150_000, 10000032: 800 } });
  ({ sim, runner } = up);
}, 90_000);
afterAll(() => up.close());

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
  expect(await up.health()).toMatchObject({
    status: 'degraded',
    checks: { progress: { detail: 'paused: repairs' } },
  });
  const run = runner.start(['run', 'market-orders', 'region/10000032']);
  const said = await eventually('the reason', async () => run.stderr() || undefined);
  expect(said).toMatch(/^Paused: .*\(reason: repairs\)\. Run "eve-collector resume" to continue\.\n$/);
  await sleep(2_000);
  expect(count()).toBe(paused);
  expect((await runner.json('resume')).value).toEqual({ paused: false, reason: null });
  await waitForRequests(paused);
  expect(await run.ended).toMatchObject({ code: 0 });
  expect(sim.offences()).toEqual([]);
}, 90_000);
