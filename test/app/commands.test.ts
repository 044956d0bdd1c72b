import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../src/cli/doctor.ts';
import type { RunReport } from '../../src/cli/run-now.ts';
import type { ScheduleState } from '../../src/temporal/schedules/list-schedules.ts';
import type { Status } from '../../src/app/status.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import { emptyDatabase } from '../support/database.ts';
import { eventually, type TestTemporal, testTemporal } from '../support/temporal.ts';
import { makePlace, type Place, SCHEDULES } from './process.ts';

const LARGE = 'region/10000002';
const SMALL = 'region/10000032';

let sim: Simulator;
let temporal: TestTemporal;
let database: Awaited<ReturnType<typeof emptyDatabase>>;
let place: Place;
let running: Awaited<ReturnType<Place['up']>>;

/** `up` on servers that are there, with an ESI that does not answer yet. */
beforeAll(async () => {
  [sim, temporal, database] = await Promise.all([
    startSimulator({ regions: { 10000002: 150_000, 10000032: 800 } }),
    testTemporal(),
    emptyDatabase(),
  ]);
  sim.faults.down('reset');
  place = await makePlace({
    DATABASE_URL: database.url,
    DATABASE_MAX_CONNECTIONS: '10',
    DATABASE_MIN_CONNECTIONS: '0',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    ESI_BASE_URL: sim.url,
    SDE_BASE_URL: sim.sdeUrl,
    SSO_BASE_URL: sim.url,
    MARKET_REGIONS: '10000032',
  });
  running = await place.up();
}, 90_000);
afterAll(async () => {
  running.child.kill('SIGINT');
  await running.ended;
  await place.close();
  await Promise.all([temporal.close(), database.drop(), sim.close()]);
});

const health = async () =>
  (await (await fetch(`${running.endpoints.http}/health`)).json()) as { status: string };

test('ESI is out of reach at the start: it stays up, says so, and begins when ESI answers', async () => {
  expect(running.stdout()).toMatch(/ESI +out of reach/);
  expect(running.stdout()).toMatch(/Missing[^]*ESI is out of reach/);
  expect(running.endpoints).toMatchObject({ databaseUrl: database.url, temporalUi: null });
  expect(await health()).toMatchObject({ status: 'degraded', checks: { esi: { status: 'down' } } });
  sim.faults.clear();
  await eventually('the first set', async () => {
    const { value } = await place.json<Status>('status');
    return value.targets.find((t) => t.target === SMALL)?.state === 'ok';
  });
  expect(running.child.exitCode).toBeNull();
}, 60_000);

describe('commands', () => {
  test('status and schedules', async () => {
    const [status, schedules, text] = await Promise.all([
      place.json<Status>('status'),
      place.json<ScheduleState[]>('schedules'),
      place.run('status'),
    ]);
    expect(status).toMatchObject({ code: 0, value: { paused: null } });
    expect(status.value.targets.map((t) => t.target)).toEqual(['', SMALL, '']);
    expect(schedules.code).toBe(0);
    expect(schedules.value.map(({ id }) => id).toSorted()).toEqual(SCHEDULES.toSorted());
    for (const { next } of schedules.value) expect(Date.parse(next!)).toBeGreaterThan(Date.now() - 10_000);
    expect(text.stdout).toMatch(/^collector .*\n-+ .*\nuniverse /);
  });

  test('doctor and migrate', async () => {
    const [doctor, migrate] = await Promise.all([
      place.json<Finding[]>('doctor'),
      place.json<{ applied: string[] }>('migrate'),
    ]);
    expect(doctor.code).toBe(0);
    const states = Object.fromEntries(doctor.value.map(({ check, status }) => [check, status]));
    expect(states).toMatchObject({ settings: 'ok', database: 'ok', temporal: 'ok', 'ESI and clock': 'ok' });
    for (const { status, advice } of doctor.value) if (status !== 'ok') expect(advice).toBeTruthy();
    expect(migrate).toEqual({ code: 0, value: { applied: [] } });
  });

  test('run waits for the end and tells it', async () => {
    const [one, unknown] = await Promise.all([
      place.json<RunReport[]>('run', 'market-orders', SMALL),
      place.json<RunReport[]>('run', 'market-orders', 'region/10000099'),
    ]);
    expect(one).toMatchObject({ code: 0, value: [{ workflowId: `market-orders/${SMALL}` }] });
    expect(unknown.code).toBe(1);
    expect(unknown.value[0]?.error).toMatch(/^ESI refused .*\(404\)\.$/);
  });

  test('wrong usage ends with 2 and a sentence', async () => {
    const wrong: [string[], RegExp][] = [
      [['fly'], /unknown command 'fly'/],
      [['run'], /missing required argument 'collector'/],
      [['run', 'moon-dust'], /There is no collector "moon-dust"/],
      [['run', 'market-prices', SMALL], /market-prices takes no target/],
      [['run', 'market-orders', 'Jita'], /"Jita" is no target here: write region\/ID/],
      [['status', '--jsno'], /unknown option/],
    ];
    const ends = await Promise.all(wrong.map(([args]) => place.run(...args)));
    expect(ends.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
      wrong.map(() => ({ code: 2, stdout: '' })),
    );
    for (const [i, [, sentence]] of wrong.entries()) expect(ends[i]?.stderr).toMatch(sentence);
  });

  test('bad settings end with 2 and a sentence each, and nothing is started', async () => {
    const bad = { HTTP_PORT: 'x', ESI_USERAGENT: 'y', DATA_DIR: `${place.dataDir}-2` };
    const { code, stdout, stderr } = await place.start(['up'], bad).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trim().split('\n').toSorted()).toEqual([
      'ESI_USERAGENT is no setting of ours; did you mean ESI_USER_AGENT?',
      'HTTP_PORT is "x"; accepted is a whole number.',
    ]);
  });
});

test('pause stops every request within two seconds, resume goes on', async () => {
  const asked = () => sim.requests().length;
  const moves = (from: number) => eventually('requests', async () => asked() > from + 5, 30_000);
  expect((await place.json<RunReport[]>('run', 'market-orders', LARGE, '--no-wait')).value).toEqual([
    { workflowId: `market-orders/${LARGE}` },
  ]);
  await moves(asked());
  expect(await place.json('pause', '--reason', 'repairs')).toEqual({
    code: 0,
    value: { paused: true, reason: 'repairs' },
  });
  const until = Date.now() + 2_000;
  await eventually('two seconds', async () => Date.now() > until);
  const paused = asked();
  expect((await place.json<Status>('status')).value.paused).toBe('repairs');
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { progress: { detail: 'paused: repairs' } },
  });
  const later = Date.now() + 2_000;
  await eventually('two more', async () => Date.now() > later);
  expect(asked()).toBe(paused);
  expect((await place.json('resume')).value).toEqual({ paused: false, reason: null });
  await moves(paused);
  expect(sim.offences()).toEqual([]);
}, 90_000);
