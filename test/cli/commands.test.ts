import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Finding } from '../../src/cli/commands/doctor-command.ts';
import type { RunReport } from '../../src/cli/commands/run-command.ts';
import type { HttpStatus } from '../../src/http/http-sources.ts';
import type { ScheduleState } from '../../src/temporal/schedules/list-schedules.ts';
import type { Simulator } from '../../simulator/index.ts';
import { type CommandRunner, SCHEDULES } from '../support/collector-process.ts';
import { startTestUp, type TestUp } from '../support/running-up.ts';
import { eventually } from '../support/test-temporal.ts';

const SMALL = 'region/10000032';

let sim: Simulator;
let runner: CommandRunner;
let up: TestUp;

/** One `up` on existing servers, with an ESI that does not respond yet. */
beforeAll(async () => {
  up = await startTestUp({ regions: { 10000032: 800 } }, (esi) => esi.faults.down('reset'));
  ({ sim, runner } = up);
}, 90_000);
afterAll(() => up.close());

test('up starts while ESI is unreachable, says so, and collects when ESI responds', async () => {
  expect(up.running.stdout()).toMatch(/ESI +unreachable/);
  expect(up.running.stdout()).toMatch(/Missing[^]*ESI is unreachable/);
  expect(up.running.endpoints).toMatchObject({ databaseUrl: up.databaseUrl, temporalUi: null });
  expect(await up.health()).toMatchObject({ status: 'degraded', checks: { esi: { status: 'down' } } });
  sim.faults.clear();
  const readStatus = async () =>
    (await (await fetch(`${up.running.endpoints.http}/api/status`)).json()) as HttpStatus;
  await eventually('the first update', async () => {
    const { targets } = await readStatus();
    return targets.find((t) => t.target === SMALL)?.state === 'ok';
  });
  expect(up.running.child.exitCode).toBeNull();
}, 60_000);

test('status and schedules print tables, and JSON with --json', async () => {
  const [status, schedules, text] = await Promise.all([
    runner.json<HttpStatus>('status'),
    runner.json<ScheduleState[]>('schedules'),
    runner.run('status'),
  ]);
  expect(status).toMatchObject({ code: 0, value: { paused: null } });
  expect(status.value.targets.map((t) => t.target)).toEqual(['', SMALL, '']);
  expect(schedules.code).toBe(0);
  expect(schedules.value.map(({ id }) => id).toSorted()).toEqual(SCHEDULES.toSorted());
  for (const { next } of schedules.value) expect(Date.parse(next!)).toBeGreaterThan(Date.now() - 10_000);
  expect(text.stdout).toMatch(/^collector .*\n-+ .*\nuniverse /);
});

test('doctor reports each check, and migrate reports an up-to-date database', async () => {
  const [doctor, migrate] = await Promise.all([
    runner.json<Finding[]>('doctor'),
    runner.json<{ applied: string[] }>('migrate'),
  ]);
  expect(doctor.code).toBe(0);
  const states = Object.fromEntries(doctor.value.map(({ check, status }) => [check, status]));
  expect(states).toMatchObject({ settings: 'ok', database: 'ok', temporal: 'ok', 'ESI and clock': 'ok' });
  for (const { status, advice } of doctor.value) if (status !== 'ok') expect(advice).toBeTruthy();
  expect(migrate).toEqual({ code: 0, value: { applied: [] } });
});

test('run waits for the end of the run and reports its result', async () => {
  const [one, unknown] = await Promise.all([
    runner.json<RunReport[]>('run', 'market-orders', SMALL),
    runner.json<RunReport[]>('run', 'market-orders', 'region/10000099'),
  ]);
  expect(one).toMatchObject({ code: 0, value: [{ workflowId: `market-orders/${SMALL}` }] });
  await runner.run('run', 'market-orders', 'region/10000099');
  const told = up.running
    .stderr()
    .split('\n')
    .filter((line) => line.includes('10000099'));
  expect(told).toHaveLength(1); // one cause is one line, whatever fails of it
  expect(JSON.parse(told[0]!)).toMatchObject({
    level: 'warn',
    run: 'market-orders/region/10000099',
    msg: expect.stringMatching(/^a run failed: Region 10000099 does not exist\. /) as unknown,
  });
  expect(unknown.code).toBe(1);
  expect(unknown.value[0]?.error).toMatch(/^Region 10000099 does not exist\. The nearest are /);
  const again = await runner.run('run', 'market-orders', SMALL);
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /: Already up to date\. ESI's next update is at .*\d\d:\d\d UTC\.\n$/,
    ) as unknown,
  });
});

test('a command with wrong arguments exits with 2 and says what is wrong', async () => {
  const wrong: [string[], RegExp][] = [
    [['fly'], /unknown command 'fly'/],
    [['run'], /missing required argument 'collector'/],
    [['run', 'moon-dust'], /Unknown collector "moon-dust"/],
    [['run', 'market-prices', SMALL], /market-prices takes no target/],
    [['run', 'market-orders', 'Jita'], /^Invalid target "Jita"\. .*region\/10000002/],
    [['status', '--jsno'], /unknown option/],
  ];
  const ends = await Promise.all(wrong.map(([args]) => runner.run(...args)));
  expect(ends.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
    wrong.map(() => ({ code: 2, stdout: '' })),
  );
  for (const [i, [, message]] of wrong.entries()) expect(ends[i]?.stderr).toMatch(message);
});

test('a command with settings that are not valid exits with 2 and a line for each, and starts nothing', async () => {
  const bad = { HTTP_PORT: 'x', ESI_USERAGENT: 'y', DATA_DIR: `${runner.dataDir}-2` };
  const { code, stdout, stderr } = await runner.start(['up'], bad).ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr.trim().split('\n')).toEqual([
    'Unknown setting ESI_USERAGENT. Did you mean ESI_USER_AGENT?',
    'HTTP_PORT="x" is not valid. Use a whole number from 0 to 65535.',
  ]);
});
