import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { processStart } from '../../src/embedded/processes.ts';
import type { ScheduleState } from '../../src/temporal/schedules/list-schedules.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import {
  type CommandRunner,
  createCommandRunner,
  embeddedServerPids,
  fetchStatus,
  interrupt,
  type Running,
  type RunningUp,
  SCHEDULES,
  simulatorSettings,
} from '../support/collector-process.ts';
import { eventually } from '../support/test-temporal.ts';

const REGION = 'region/10000032';
const COLLECTED = [{}, { target: REGION, rows: 800, state: 'ok' }, {}];

let sim: Simulator;
let runner: CommandRunner;
let running: RunningUp;

beforeAll(async () => {
  sim = await startSimulator();
  runner = await createCommandRunner({ ...simulatorSettings(sim), MARKET_REGIONS: '10000032' });
  running = await runner.up();
  await eventually('the first updates', async () =>
    (await fetchStatus(running)).targets.every((target) => target.readAt !== null),
  );
}, 90_000);
afterAll(async () => {
  await interrupt(running).catch(() => undefined);
  await runner.close();
  await sim.close();
});

const kill = async ({ child, ended }: Running) => {
  child.kill('SIGKILL');
  await ended;
};

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { temporalAddress: address, temporalNamespace: namespace } = running.endpoints;
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

const scheduleStates = async () => (await runner.json<ScheduleState[]>('schedules')).value;

test('after kill -9 of up alone the next up takes its servers over', async () => {
  const pids = await embeddedServerPids(runner.dataDir);
  await kill(running);
  for (const pid of pids) expect(await processStart(pid)).toBeDefined();
  const orphaned = await runner.run('status');
  expect(orphaned).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Nothing is running on /) as unknown,
  });
  const before = running.endpoints;
  running = await runner.up();
  for (const pid of pids) expect(await processStart(pid)).toBeUndefined();
  expect(running.endpoints.databaseUrl).toBe(before.databaseUrl);
  expect((await fetchStatus(running)).targets).toMatchObject(COLLECTED);
}, 90_000);

test('after kill -9 of up and its servers, data, schedules and their pauses are still there', async () => {
  await withClient((client) => client.schedule.getHandle('market-prices').pause('not now'));
  const pids = await embeddedServerPids(runner.dataDir);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await kill(running);
  running = await runner.up();
  expect((await fetchStatus(running)).targets).toMatchObject(COLLECTED);
  const states = await scheduleStates();
  expect(states.map(({ id }) => id).toSorted()).toEqual(SCHEDULES.toSorted());
  expect(states.find(({ id }) => id === 'market-prices')).toMatchObject({ paused: true, note: 'not now' });
  expect(states.filter(({ paused }) => paused)).toHaveLength(1);
}, 90_000);

test('a schedule that somebody deleted is created again within a minute, with one warning', async () => {
  await withClient((client) => client.schedule.getHandle('market-orders').delete());
  const isBack = async () => (await scheduleStates()).some(({ id }) => id === 'market-orders');
  expect(await isBack()).toBe(false);
  await eventually('the schedule', isBack, 60_000);
  const states = await scheduleStates();
  expect(states.map(({ id }) => id).toSorted()).toEqual(SCHEDULES.toSorted());
  expect(states.find(({ id }) => id === 'market-prices')).toMatchObject({ paused: true, note: 'not now' });
  const warnings = running
    .stderr()
    .split('\n')
    .filter((line) => line.includes('schedules were deleted'));
  expect(warnings).toEqual([expect.stringContaining('"market-orders"')]);
}, 90_000);

test('TEMPORAL_UI=false starts the embedded Temporal server without its Web UI', async () => {
  const ui = running.endpoints.temporalUi!;
  expect((await fetch(ui)).status).toBe(200);
  await interrupt(running);
  running = await runner.up({ TEMPORAL_UI: 'false' });
  expect(running.endpoints.temporalUi).toBeNull();
  expect(running.stdout()).toContain(running.endpoints.temporalAddress);
  await expect(fetch(ui)).rejects.toThrow('fetch failed');
  expect(await (await fetch(running.endpoints.http)).text()).not.toContain('Runs in Temporal');
}, 90_000);
