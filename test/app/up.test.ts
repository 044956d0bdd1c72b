import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { processStart } from '../../src/embedded/processes.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import type { RunReport } from '../../src/cli/run-now.ts';
import type { Status } from '../../src/app/status.ts';
import type { ScheduleState } from '../../src/temporal/schedules/list-schedules.ts';
import { eventually } from '../support/temporal.ts';
import { makePlace, type Place, type Running, SCHEDULES } from './process.ts';

const CTRL_C = 10_000; // ms, as promised
const REGION = 'region/10000032';

let sim: Simulator;
let place: Place;
let running: Awaited<ReturnType<Place['up']>>;

beforeAll(async () => {
  sim = await startSimulator();
  place = await makePlace({
    ESI_BASE_URL: sim.url,
    SDE_BASE_URL: sim.sdeUrl,
    SSO_BASE_URL: sim.url,
    MARKET_REGIONS: '10000032',
  });
  running = await place.up();
}, 90_000);
afterAll(async () => {
  await interrupt(running).catch(() => undefined);
  await place.close();
  await sim.close();
});

/** Ctrl-C; the milliseconds that it took. */
async function interrupt({ child, ended }: Running): Promise<number> {
  const started = Date.now();
  if (child.exitCode === null) child.kill('SIGINT');
  await ended;
  return Date.now() - started;
}

const kill = async ({ child, ended }: Running) => {
  child.kill('SIGKILL');
  await ended;
};

const status = async (): Promise<Status> =>
  (await (await fetch(`${running.endpoints.http}/api/status`)).json()) as Status;

const serverPids = async () => {
  const postmaster = await readFile(path.join(place.dataDir, 'postgres/cluster/postmaster.pid'), 'utf8');
  const temporal = await readFile(path.join(place.dataDir, 'temporal/temporal.pid'), 'utf8');
  return [Number.parseInt(postmaster, 10), (JSON.parse(temporal) as { pid: number }).pid];
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

const scheduleStates = async () => (await place.json<ScheduleState[]>('schedules')).value;

test('one screen tells where everything is, and endpoints.json tells programs', async () => {
  const { endpoints, pid } = running;
  const file = path.join(place.dataDir, 'endpoints.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const keys = [
    'pid',
    'databaseUrl',
    'temporalAddress',
    'temporalNamespace',
    'temporalUi',
    'http',
    'metrics',
  ];
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8')) as object)).toEqual(keys);
  expect(endpoints).toMatchObject({ pid, temporalNamespace: 'default' });
  const screen = running.stdout();
  for (const shown of [
    endpoints.http,
    endpoints.metrics!,
    endpoints.temporalUi!,
    'players online',
    'Missing',
  ])
    expect(screen).toContain(shown);
  expect(screen).not.toContain(new URL(endpoints.databaseUrl).password);
  expect((await fetch(endpoints.temporalUi!)).status).toBe(200);
});

test('the first runs begin by themselves: universe, then the market', async () => {
  await eventually(
    'first sets',
    async () => (await status()).targets.every((t) => t.readAt !== null),
    40_000,
  );
  expect((await status()).targets).toMatchObject([
    { collector: 'universe', state: 'ok' },
    { collector: 'market-orders', target: REGION, state: 'ok', rows: 800 },
    { collector: 'market-prices', state: 'ok' },
  ]);
});

test('/health and /metrics say what the contract says', async () => {
  const { endpoints } = running;
  const health = await fetch(`${endpoints.http}/health`);
  expect(health.status).toBe(200);
  const check = { status: 'ok', detail: expect.any(String) as unknown };
  expect(await health.json()).toEqual({
    status: 'ok',
    checks: { database: check, temporal: check, esi: check, progress: check },
  });
  const metrics = await (await fetch(endpoints.metrics!)).text();
  for (const name of [
    'esi_requests_total',
    'esi_request_duration_seconds_bucket',
    'collector_last_run_timestamp',
    'collector_items_processed',
    'collector_runs_total',
    'db_queries_total',
  ])
    expect(metrics).toMatch(new RegExp(`^${name}\\{.+\\} [0-9.e+]+$`, 'm'));
  const page = await (await fetch(endpoints.http)).text();
  expect(page).toContain(REGION);
});

test('a second one on the same folder says so, ends with 1, and harms nothing', async () => {
  const { code, stdout, stderr } = await place.run('up');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    new RegExp(`in use by another running eve-data-collector \\(process ${running.pid}\\)`),
  );
  expect(await place.readEndpoints()).toEqual(running.endpoints);
  expect((await fetch(`${running.endpoints.http}/health`)).status).toBe(200);
});

test('a server that dies under it is started again, and the work goes on', async () => {
  const pids = await serverPids();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  const gone = async () => (await fetch(`${running.endpoints.http}/health`)).status === 503;
  // It may be back before anybody looks: then others serve by now.
  const replaced = async () => (await serverPids()).every((pid) => !pids.includes(pid));
  await eventually('a bad state', async () => (await gone()) || (await replaced()));
  await eventually('a good state', async () => !(await gone()), 40_000);
  expect((await place.json<RunReport[]>('run', 'universe')).value).toMatchObject([
    { result: { outcome: 'unchanged' } },
  ]);
  expect(running.child.exitCode).toBeNull();
}, 90_000);

test('killed alone (kill -9), the next one takes its servers over', async () => {
  const pids = await serverPids();
  await kill(running);
  for (const pid of pids) expect(await processStart(pid)).toBeDefined();
  const orphaned = await place.run('status');
  expect(orphaned).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Nothing is running on /) as unknown,
  });
  const before = running.endpoints;
  running = await place.up();
  for (const pid of pids) expect(await processStart(pid)).toBeUndefined();
  expect(running.endpoints).toMatchObject({
    databaseUrl: before.databaseUrl,
    temporalAddress: before.temporalAddress,
  });
  expect((await status()).targets).toMatchObject([{}, { rows: 800 }, {}]);
}, 90_000);

test('killed with its servers, nothing is lost: data, schedules, and what an operator did to them', async () => {
  await withClient((client) => client.schedule.getHandle('market-prices').pause('not now'));
  const pids = await serverPids();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await kill(running);
  running = await place.up();
  expect((await status()).targets).toMatchObject([{}, { target: REGION, rows: 800, state: 'ok' }, {}]);
  const states = await scheduleStates();
  expect(states.map(({ id }) => id).toSorted()).toEqual(SCHEDULES.toSorted());
  expect(states.find(({ id }) => id === 'market-prices')).toMatchObject({ paused: true, note: 'not now' });
  expect(states.filter(({ paused }) => paused)).toHaveLength(1);
}, 90_000);

test('Ctrl-C in the middle of a run ends everything within ten seconds', async () => {
  sim.faults.hang({ route: '/markets/10000043/' });
  await place.run('run', 'market-orders', 'region/10000043', '--no-wait');
  await eventually('a request', async () => sim.requests().some(({ path: url }) => url.includes('10000043')));
  const pids = await serverPids();
  expect(await interrupt(running)).toBeLessThan(CTRL_C);
  expect((await running.ended).code).toBe(0);
  expect(await place.readEndpoints()).toBeUndefined();
  for (const pid of pids) expect(await processStart(pid)).toBeUndefined();
  // Who starts anew cannot know when /status was last asked.
  expect(sim.offences().filter(({ path: url }) => url !== '/status')).toEqual([]);
});
