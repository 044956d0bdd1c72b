import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { freePort } from '../../src/embedded/ports.ts';
import type { AssignmentView } from '../../src/engine/owners/assignment-service.ts';
import type { StartedLogin } from '../../src/engine/owners/login-flow.ts';
import type { TokenView } from '../../src/engine/owners/token-service.ts';
import type { HttpStatus } from '../../src/http/http-sources.ts';
import type { ScheduleState } from '../../src/temporal/schedules/list-schedules.ts';
import { type LoginChoice, type Simulator, startSimulator } from '../../simulator/index.ts';
import { eventually } from '../support/test-temporal.ts';
import { TEST_APPLICATION } from '../support/test-secrets.ts';
import {
  type CommandRunner,
  createCommandRunner,
  interrupt,
  type RunningUp,
  simulatorSettings,
} from '../support/collector-process.ts';

const [ANNA, BRAM] = [90000001, 90000002];

let sim: Simulator;
let runner: CommandRunner;
let running: RunningUp;

beforeAll(async () => {
  let port: number;
  [sim, port] = await Promise.all([startSimulator(), freePort()]);
  runner = await createCommandRunner({
    ...simulatorSettings(sim),
    COLLECT_UNIVERSE_DATA: 'false',
    COLLECT_MARKET_ORDERS: 'false',
    ESI_CLIENT_ID: TEST_APPLICATION.clientId,
    ESI_CLIENT_SECRET: TEST_APPLICATION.clientSecret,
    ESI_CALLBACK_URL: `http://127.0.0.1:${port}/callback`,
    HTTP_PORT: String(port),
  });
  running = await runner.up();
}, 90_000);
afterAll(async () => {
  await interrupt(running);
  await runner.close();
  await sim.close();
});

/** The command lines of all processes, which every user of the machine can see. */
async function commandLines(): Promise<string> {
  if (!existsSync('/proc/self/cmdline'))
    return (await promisify(execFile)('ps', ['-axww', '-o', 'args'])).stdout;
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.join('\n');
}

/** Reads from the API of the running `up`. */
async function api<T>(path: string): Promise<T> {
  return (await (await fetch(running.endpoints.http + path)).json()) as T;
}

/** Sends SQL that must violate a constraint. */
async function expectViolation(text: string): Promise<void> {
  const client = new Client({ connectionString: running.endpoints.databaseUrl });
  await client.connect();
  await expect(client.query(text)).rejects.toThrow('violates');
  await client.end();
}

/** Runs `tokens add`, and completes the login as a person in a browser does. */
async function add(characterId: number, choice?: LoginChoice, ...args: string[]) {
  const command = runner.start(['tokens', 'add', '--no-open', ...args]);
  const address = await eventually(
    'the address',
    async () => /^http\S+authorize\S+$/m.exec(command.stdout() + command.stderr())?.[0],
  );
  const page = await fetch(sim.sso.loginUrl(address, characterId, choice)); // follows EVE's redirect to the callback
  const [ended, text] = await Promise.all([command.ended, page.text()]);
  return { ...ended, page: { status: page.status, text } };
}

test('tokens list without logins says how to add one', async () => {
  const { code, stdout } = await runner.run('tokens', 'list');
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('tokens add') as unknown });
});

test('tokens add waits for the login and reports its result', async () => {
  const anna = await add(ANNA);
  expect(anna).toMatchObject({ code: 0, page: { status: 200 } });
  expect(anna.stdout).toMatch(/is logged in\. Collected from now on: wallet character\/90000001/);
  expect(anna.page.text).toContain('is logged in');
  const denied = await add(BRAM, { deny: true }, '--json');
  expect(denied).toMatchObject({ code: 1, page: { status: 400 } });
  expect(JSON.parse(denied.stdout)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('cancelled') as unknown,
  });
  const unknown = await runner.run('tokens', 'add', '--no-open', '--collectors', 'moon-dust');
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
}, 60_000);

test('a login by API or page works as well, and no secret is shown or logged', async () => {
  const { http, metrics } = running.endpoints;
  const send = async (path: string, body?: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${http}${path}`, init);
    return { status: answer.status, body: await answer.json() };
  };
  const started = await send('/api/tokens/register', { collectors: ['wallet'] });
  const { url, state } = started.body as StartedLogin;
  expect(started).toMatchObject({ status: 200, body: { expiresAt: expect.any(String) as unknown } });
  const accept = { accept: 'application/json' };
  const answer = await fetch(sim.sso.loginUrl(url, BRAM), { headers: accept });
  expect(await answer.json()).toMatchObject({ characterId: BRAM, enabled: [`wallet character/${BRAM}`] });
  const replay = await fetch(answer.url, { headers: accept });
  expect([replay.status, await replay.json()]).toEqual([
    400,
    expect.objectContaining({ code: 'LOGIN_USED' }),
  ]);
  expect(await send('/api/runs', { collector: 'wallet', target: `character/${BRAM}` })).toEqual({
    status: 202,
    body: { workflowId: `wallet/character/${BRAM}` },
  });
  const form = await fetch(`${http}/login`, { method: 'POST', redirect: 'manual' });
  expect([form.status, form.headers.get('location')]).toEqual([303, expect.stringContaining(sim.ssoUrl)]);

  // A run that fails, and one with a token that ESI rejects, so that their errors are shown as well.
  sim.faults.status(400, { route: '/wallet' });
  expect(await runner.run('run', 'wallet', `character/${ANNA}`)).toMatchObject({ code: 1 });
  sim.faults.clear();
  sim.sso.expire(BRAM);
  expect(await runner.run('run', 'orders', `character/${BRAM}`)).toMatchObject({ code: 0 });
  const addresses = ['/', '/api/tokens', '/api/status', '/api/runs', '/health'].map((path) => http + path);
  const responses = await Promise.all(
    [...addresses, metrics!].map(async (address) => (await fetch(address)).text()),
  );
  expect(responses.at(-1)).toMatch(/collector_runs_total{[^}]*wallet/);
  const lists = await Promise.all([runner.run('tokens', 'list', '--json'), runner.run('status', '--json')]);
  const code = new URL(answer.url).searchParams.get('code')!;
  const refreshTokens = [ANNA, BRAM].flatMap((id) =>
    sim.sso.grants(id).flatMap((grant) => grant.refreshTokens),
  );
  for (const token of refreshTokens)
    await expectViolation(
      `INSERT INTO esi_tokens (character_id, refresh_token) VALUES (${ANNA}, '${token}')`,
    );
  const serverLogs = ['postgres/postgres.log', 'temporal/temporal.log'].map((name) =>
    readFile(path.join(runner.dataDir, name), 'utf8'),
  );
  const shown = [
    running.stdout(),
    running.stderr(),
    ...responses,
    await commandLines(),
    ...(await Promise.all(serverLogs)),
    ...lists.map(({ stdout, stderr }) => stdout + stderr),
  ];
  for (const secret of [state, code, TEST_APPLICATION.clientSecret, 'eyJhbGci', ...refreshTokens])
    expect(shown.filter((text) => text.includes(secret))).toEqual([]);
}, 60_000);

test('names and fields from elsewhere act neither on the terminal nor on a metric', async () => {
  const client = new Client({ connectionString: running.endpoints.databaseUrl });
  await client.connect();
  const hostile = '\u001B[2J\u001B[31mEve\r\nadmin\u009B0m\u202Egnp';
  await client.query('UPDATE characters SET name = $2 WHERE character_id = $1', [BRAM, hostile]);
  await client.query('INSERT INTO unknown_fields (route, field, first_seen_at) VALUES ($1, $2, now())', [
    '/status',
    hostile,
  ]);
  await client.end();
  const shown = '\u241B[2J\u241B[31mEve\u240D\u240Aadmin\\u{9b}0m\\u{202e}gnp';
  const [list, json, target] = await Promise.all([
    runner.run('tokens', 'list'),
    runner.run('tokens', 'list', '--json'),
    runner.run('assign', 'add', 'wallet', hostile),
  ]);
  expect(list.stdout).toContain(` ${shown} `);
  expect((JSON.parse(json.stdout) as TokenView[]).map(({ name }) => name)).toContain(hostile);
  expect(target).toMatchObject({ code: 2, stderr: expect.stringContaining(`"${shown}"`) as unknown });
  const metrics = await (await fetch(running.endpoints.metrics!)).text();
  expect(metrics).toMatch(/^esi_unknown_fields\{.*gnp"\} 1$/m);
  for (const text of [list.stdout, json.stdout, target.stderr, metrics])
    expect(text).not.toMatch(/[^\n\P{C}]/u);
}, 60_000);

test('tokens list, disable, enable, rekey and remove', async () => {
  const { value: tokens } = await runner.json<TokenView[]>('tokens', 'list');
  const token = tokens.find((one) => one.characterId === ANNA);
  expect(token).toMatchObject({ isActive: true });
  const id = String(token!.id);
  expect((await runner.run('tokens', 'disable', id)).code).toBe(0);
  const { stdout } = await runner.run('status');
  // One reason, one line, whatever it blocks.
  expect(stdout).toMatch(/Owners:\n.+: The login is disabled\..* \(login, .*wallet.*\)\n/);
  const { tokens: logins, assignments } = await api<HttpStatus>('/api/status');
  expect(logins.filter((one) => !one.isActive).map((one) => one.id)).toEqual([token!.id]);
  expect(assignments.length).toBeGreaterThan(3);
  expect((await runner.run('tokens', 'enable', id)).code).toBe(0);
  expect(await runner.json('tokens', 'rekey')).toEqual({ code: 0, value: { rekeyed: 0, unreadable: 0 } });
  expect((await runner.json('tokens', 'remove', id)).value).toMatchObject({ revoked: true });
  expect(sim.sso.tokenCount(ANNA)).toBe(0);
  expect(await runner.run('tokens', 'remove', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no login') as unknown,
  });
}, 60_000);

test('schedules lists that of the owners', async () => {
  const { value } = await runner.json<ScheduleState[]>('schedules');
  expect(value.find(({ id }) => id === 'owners')).toMatchObject({ paused: false, spec: 'every minute' });
});

test('assign list, add, remove, disable and enable', async () => {
  const orders = ['orders', `character/${ANNA}`];
  expect((await runner.run('assign', 'remove', ...orders)).code).toBe(0);
  const created = await runner.json<AssignmentView>('assign', 'add', ...orders, '--every', '45');
  expect(created).toMatchObject({ code: 0, value: { collector: 'orders', intervalMinutes: 45 } });
  expect((await runner.run('assign', 'disable', ...orders)).code).toBe(0);
  const found = async () =>
    (await api<AssignmentView[]>('/api/assignments')).find((a) => a.id === created.value.id);
  expect(await found()).toMatchObject({ isEnabled: false });
  const { targets } = await api<HttpStatus>('/api/status');
  const isOrders = (t: { collector: string; target: string }) =>
    t.collector === 'orders' && t.target === orders[1];
  expect(targets.find(isOrders)).toMatchObject({ state: 'disabled', detail: 'the assignment is disabled' });
  expect((await runner.run('status')).stdout).toMatch(new RegExp(`^orders +${orders[1]} +disabled `, 'm'));
  expect((await runner.run('assign', 'list')).stdout).toMatch(
    new RegExp(`^orders +${orders[1]} .*disabled`, 'm'),
  );
  expect((await runner.run('assign', 'enable', ...orders)).code).toBe(0);
  expect(await found()).toMatchObject({ isEnabled: true });
  expect((await runner.run('assign', 'enable', ...orders, '--every', '60')).stdout).toBe(
    `orders of character/${ANNA} is collected every hour, starting now.\n`,
  );
  expect(await found()).toMatchObject({ isEnabled: true, intervalMinutes: 60 });
  expect((await runner.run('assign', 'list')).stdout).toMatch(/^collector +target/);
}, 60_000);

test('owner commands exit with 2 on wrong arguments and with 1 on errors, and say what is wrong', async () => {
  const wrong: [string[], number, RegExp][] = [
    [['tokens', 'remove', 'Anna'], 2, /whole number/],
    [['assign', 'add', 'moon-dust', `character/${ANNA}`], 2, /Unknown collector "moon-dust"/],
    [['assign', 'add', 'wallet', 'Jita'], 2, /"Jita"/],
    [['assign', 'enable', 'wallet', `character/${ANNA}`, '--every', '99999'], 2, /from 1 to 44640/],
    [['assign', 'add', 'wallet', `character/${ANNA}`], 1, /already.+assign enable.+--every/],
    [['assign', 'remove', 'wallet', 'character/90000099'], 1, /There is no assignment/],
    [['run', 'wallet', 'character/90000099'], 1, /character\/90000099 is unknown\. Log the character in/],
  ];
  const ends = await Promise.all(wrong.map(([args]) => runner.run(...args)));
  expect(ends.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
    wrong.map(([, code]) => ({ code, stdout: '' })),
  );
  for (const [i, [, , message]] of wrong.entries()) expect(ends[i]?.stderr).toMatch(message);
}, 60_000);
