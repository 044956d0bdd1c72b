import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { processStart } from '../../src/embedded/processes.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import type { RunReport } from '../../src/cli/commands/run-command.ts';
import { eventually } from '../support/test-temporal.ts';
import {
  type CommandRunner,
  createCommandRunner,
  embeddedServerPids,
  fetchStatus,
  interrupt,
  type RunningUp,
  simulatorSettings,
} from '../support/collector-process.ts';

/** Ctrl-C stops everything within ten seconds (ms). */
const STOP_LIMIT = 10_000;
const REGION = 'region/10000032';

let sim: Simulator;
let runner: CommandRunner;
let running: RunningUp;

beforeAll(async () => {
  sim = await startSimulator();
  runner = await createCommandRunner({ ...simulatorSettings(sim), MARKET_REGIONS: '10000032' });
  running = await runner.up();
}, 90_000);
afterAll(async () => {
  await interrupt(running).catch(() => undefined);
  await runner.close();
  await sim.close();
});

test('up prints its addresses and writes endpoints.json', async () => {
  const { endpoints, pid } = running;
  const file = path.join(runner.dataDir, 'endpoints.json');
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
  const banner = running.stdout();
  for (const shown of [
    endpoints.http,
    endpoints.metrics!,
    endpoints.temporalUi!,
    'players online',
    'Missing',
  ])
    expect(banner).toContain(shown);
  expect(banner).not.toContain(new URL(endpoints.databaseUrl).password);
  // The order books of a simulated ESI are not as large as EVE's.
  expect(banner).not.toContain('Capacity');
  expect((await fetch(endpoints.temporalUi!)).status).toBe(200);
});

test('up triggers the first runs: the universe, then the market', async () => {
  await eventually(
    'the first updates',
    async () => (await fetchStatus(running)).targets.every((t) => t.readAt !== null),
    40_000,
  );
  expect((await fetchStatus(running)).targets).toMatchObject([
    { collector: 'universe', state: 'ok' },
    { collector: 'market-orders', target: REGION, state: 'ok', rows: 800 },
    { collector: 'market-prices', state: 'ok' },
  ]);
  const findings = (await runner.json<{ check: string; detail: string }[]>('doctor')).value;
  expect(findings.find(({ check }) => check === 'capacity')!.detail).toBe(
    'market-orders: 1 page every 5 minutes needs 0.2 requests per minute; ESI_RATE_LIMIT is 300.',
  );
});

test('/health and /metrics have the fields of the contract', async () => {
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

test('a second up on the same DATA_DIR exits with 1 and changes nothing', async () => {
  const { code, stdout, stderr } = await runner.run('up');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    new RegExp(`in use by another running eve-data-collector \\(process ${running.pid}\\)`),
  );
  expect(await runner.readEndpoints()).toEqual(running.endpoints);
  expect((await fetch(`${running.endpoints.http}/health`)).status).toBe(200);
});

test('up restarts an embedded server that was killed, and work continues', async () => {
  const pids = await embeddedServerPids(runner.dataDir);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  const gone = async () => (await fetch(`${running.endpoints.http}/health`)).status === 503;
  // The servers may be back before the first check: then their process ids are new.
  const replaced = async () => (await embeddedServerPids(runner.dataDir)).every((pid) => !pids.includes(pid));
  await eventually('health is down', async () => (await gone()) || (await replaced()));
  await eventually('health is up', async () => !(await gone()), 40_000);
  expect((await runner.json<RunReport[]>('run', 'universe')).value).toMatchObject([
    { result: { outcome: 'unchanged' } },
  ]);
  expect(running.child.exitCode).toBeNull();
}, 90_000);

test('Ctrl-C during a run stops everything within ten seconds', async () => {
  sim.faults.hang({ route: '/markets/10000043/' });
  await runner.run('run', 'market-orders', 'region/10000043', '--no-wait');
  await eventually('a request', async () => sim.requests().some(({ path: url }) => url.includes('10000043')));
  const pids = await embeddedServerPids(runner.dataDir);
  expect(await interrupt(running)).toBeLessThan(STOP_LIMIT);
  expect((await running.ended).code).toBe(0);
  expect(await runner.readEndpoints()).toBeUndefined();
  for (const pid of pids) expect(await processStart(pid)).toBeUndefined();
  expect(sim.offences()).toEqual([]);
});

test('up on a port that another program uses ends before it starts anything', async () => {
  const port = Number(new URL(sim.url).port);
  const started = Date.now();
  const { code, stderr } = await runner.start(['up'], { HTTP_PORT: String(port) }).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`Port ${port} is used by another program.*HTTP_PORT`));
  await expect(embeddedServerPids(runner.dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(Date.now() - started).toBeLessThan(STOP_LIMIT);
});

test('a closed terminal stops everything as Ctrl-C does', async () => {
  sim.faults.clear();
  running = await runner.up();
  const pids = await embeddedServerPids(runner.dataDir);
  expect(await interrupt(running, 'SIGHUP')).toBeLessThan(STOP_LIMIT);
  expect((await running.ended).code).toBe(0);
  for (const pid of pids) expect(await processStart(pid)).toBeUndefined();
  expect(sim.offences()).toEqual([]);
}, 60_000);
