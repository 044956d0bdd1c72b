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
import type { Status } from '../../src/app/status.ts';
import { type LoginChoice, type Simulator, startSimulator } from '../../simulator/index.ts';
import { eventually } from '../support/temporal.ts';
import { TEST_APPLICATION } from '../support/secrets.ts';
import { makePlace, type Place } from './process.ts';

const [ANNA, BRAM] = [90000001, 90000002];

let sim: Simulator;
let place: Place;
let running: Awaited<ReturnType<Place['up']>>;

beforeAll(async () => {
  let port: number;
  [sim, port] = await Promise.all([startSimulator(), freePort()]);
  const off = { COLLECT_UNIVERSE_DATA: 'false', COLLECT_MARKET_ORDERS: 'false' };
  place = await makePlace({
    ...off,
    ESI_BASE_URL: sim.url,
    SDE_BASE_URL: sim.sdeUrl,
    SSO_BASE_URL: sim.ssoUrl,
    ESI_CLIENT_ID: TEST_APPLICATION.clientId,
    ESI_CLIENT_SECRET: TEST_APPLICATION.clientSecret,
    ESI_CALLBACK_URL: `http://127.0.0.1:${port}/callback`,
    HTTP_PORT: String(port),
  });
  running = await place.up();
}, 90_000);
afterAll(async () => {
  running.child.kill('SIGINT');
  await running.ended;
  await place.close();
  await sim.close();
});

/** What anybody on this machine sees of the processes: their command lines. */
async function commandLines(): Promise<string> {
  if (!existsSync('/proc/self/cmdline'))
    return (await promisify(execFile)('ps', ['-axww', '-o', 'args'])).stdout;
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.join('\n');
}

/** SQL that the database refuses. */
async function refused(text: string): Promise<void> {
  const client = new Client({ connectionString: running.endpoints.databaseUrl });
  await client.connect();
  await expect(client.query(text)).rejects.toThrow('violates');
  await client.end();
}

/** `tokens add`, with a person at the browser. */
async function add(characterId: number, choice?: LoginChoice, ...args: string[]) {
  const command = place.start(['tokens', 'add', '--no-open', ...args]);
  const address = await eventually(
    'the address',
    async () => /^http\S+authorize\S+$/m.exec(command.stdout() + command.stderr())?.[0],
  );
  const page = await fetch(sim.sso.loginUrl(address, characterId, choice)); // follows EVE's redirect to the callback
  const [ended, text] = await Promise.all([command.ended, page.text()]);
  return { ...ended, page: { status: page.status, text } };
}

test('nobody is there, and it is said how to begin', async () => {
  const { code, stdout } = await place.run('tokens', 'list');
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('tokens add') as unknown });
});

test('tokens add waits for the login, and tells what it brought', async () => {
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
  const unknown = await place.run('tokens', 'add', '--no-open', '--collectors', 'moon-dust');
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
}, 60_000);

test('the API and the page do the same, and nothing secret is told or logged', async () => {
  const { http, metrics } = running.endpoints;
  const ask = async (path: string, body?: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${http}${path}`, init);
    return { status: answer.status, body: await answer.json() };
  };
  const begun = await ask('/api/tokens/register', { collectors: ['wallet'] });
  const { url, state } = begun.body as StartedLogin;
  expect(begun).toMatchObject({ status: 200, body: { expiresAt: expect.any(String) as unknown } });
  const accept = { accept: 'application/json' };
  const answer = await fetch(sim.sso.loginUrl(url, BRAM), { headers: accept });
  expect(await answer.json()).toMatchObject({ characterId: BRAM, enabled: [`wallet character/${BRAM}`] });
  const replay = await fetch(answer.url, { headers: accept });
  expect([replay.status, await replay.json()]).toEqual([
    400,
    expect.objectContaining({ code: 'LOGIN_USED' }),
  ]);
  expect(await ask('/api/runs', { collector: 'wallet', target: `character/${BRAM}` })).toEqual({
    ...{ status: 202, body: { workflowId: `wallet/character/${BRAM}` } },
  });
  const form = await fetch(`${http}/login`, { method: 'POST', redirect: 'manual' });
  expect([form.status, form.headers.get('location')]).toEqual([303, expect.stringContaining(sim.ssoUrl)]);

  // A run that failed, and one with a token that ESI does not take: their errors are told as well.
  sim.faults.status(400, { route: '/wallet' });
  expect(await place.run('run', 'wallet', `character/${ANNA}`)).toMatchObject({ code: 1 });
  sim.faults.clear();
  sim.sso.expire(BRAM);
  expect(await place.run('run', 'orders', `character/${BRAM}`)).toMatchObject({ code: 0 });
  const addresses = ['/', '/api/tokens', '/api/status', '/api/runs', '/health'].map((path) => http + path);
  const told = await Promise.all(
    [...addresses, metrics!].map(async (address) => (await fetch(address)).text()),
  );
  expect(told.at(-1)).toMatch(/collector_runs_total{[^}]*wallet/);
  const lists = await Promise.all([place.run('tokens', 'list', '--json'), place.run('status', '--json')]);
  const code = new URL(answer.url).searchParams.get('code')!;
  const refreshTokens = [ANNA, BRAM].flatMap((id) =>
    sim.sso.grants(id).flatMap((grant) => grant.refreshTokens),
  );
  for (const token of refreshTokens)
    await refused(`INSERT INTO esi_tokens (character_id, refresh_token) VALUES (${ANNA}, '${token}')`);
  const serverLogs = ['postgres/postgres.log', 'temporal/temporal.log'].map((name) =>
    readFile(path.join(place.dataDir, name), 'utf8'),
  );
  const shown = [
    running.stdout(),
    running.stderr(),
    ...told,
    await commandLines(),
    ...(await Promise.all(serverLogs)),
    ...lists.map(({ stdout, stderr }) => stdout + stderr),
  ];
  for (const secret of [state, code, TEST_APPLICATION.clientSecret, 'eyJhbGci', ...refreshTokens])
    expect(shown.filter((text) => text.includes(secret))).toEqual([]);
}, 60_000);

test('logins are listed, switched off and on, sealed anew and removed', async () => {
  const { value: tokens } = await place.json<TokenView[]>('tokens', 'list');
  const token = tokens.find((one) => one.characterId === ANNA);
  expect(token).toMatchObject({ isActive: true });
  const id = String(token!.id);
  expect((await place.run('tokens', 'disable', id)).code).toBe(0);
  const { stdout } = await place.run('status');
  expect(stdout).toMatch(/Owners:\nLogin of .*The login is disabled/);
  const { value } = await place.json<Status>('status');
  expect(value.tokens.filter((one) => !one.isActive).map((one) => one.id)).toEqual([token!.id]);
  expect(value.assignments.length).toBeGreaterThan(3);
  expect((await place.run('tokens', 'enable', id)).code).toBe(0);
  expect(await place.json('tokens', 'rekey')).toEqual({ code: 0, value: { rekeyed: 0, unreadable: 0 } });
  expect((await place.json('tokens', 'remove', id)).value).toMatchObject({ revoked: true });
  expect(sim.sso.tokenCount(ANNA)).toBe(0);
  expect(await place.run('tokens', 'remove', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no login with the number') as unknown,
  });
}, 60_000);

test('assignments are listed, made, switched and ended', async () => {
  const orders = ['orders', `character/${ANNA}`];
  const list = async () => (await place.json<AssignmentView[]>('assign', 'list')).value;
  expect((await place.run('assign', 'remove', ...orders)).code).toBe(0);
  const made = await place.json<AssignmentView>('assign', 'add', ...orders, '--every', '45');
  expect(made).toMatchObject({ code: 0, value: { collector: 'orders', intervalMinutes: 45 } });
  expect((await place.run('assign', 'disable', ...orders)).code).toBe(0);
  const found = async () => (await list()).find((a) => a.id === made.value.id);
  expect(await found()).toMatchObject({ isEnabled: false });
  expect((await place.run('assign', 'enable', ...orders)).code).toBe(0);
  expect(await found()).toMatchObject({ isEnabled: true });
  expect((await place.run('assign', 'enable', ...orders, '--every', '60')).stdout).toBe(
    `orders of character/${ANNA} is collected every 60 minutes, from now on.\n`,
  );
  expect(await found()).toMatchObject({ isEnabled: true, intervalMinutes: 60 });
  expect((await place.run('assign', 'list')).stdout).toMatch(/^collector +target/);
}, 60_000);

test('wrong usage ends with 2, what cannot be done with 1, and a sentence', async () => {
  const wrong: [string[], number, RegExp][] = [
    [['tokens', 'remove', 'Anna'], 2, /whole number/],
    [['tokens', 'fly'], 2, /unknown command/],
    [['assign', 'add', 'wallet'], 2, /missing required argument/],
    [['assign', 'add', 'moon-dust', `character/${ANNA}`], 2, /Unknown collector "moon-dust"/],
    [['assign', 'add', 'wallet', 'Jita'], 2, /no target here/],
    [['assign', 'add', 'wallet', `character/${ANNA}`, '--every', '0'], 2, /whole number/],
    [['assign', 'enable', 'wallet', `character/${ANNA}`, '--every', '99999'], 2, /from 1 to 44640/],
    [['assign', 'add', 'wallet', 'character/90000099'], 1, /is not known here/],
    [['assign', 'add', 'wallet', `character/${ANNA}`], 1, /already.+assign enable.+--every/],
    [['assign', 'remove', 'wallet', 'character/90000099'], 1, /There is no assignment/],
  ];
  const ends = await Promise.all(wrong.map(([args]) => place.run(...args)));
  expect(ends.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
    wrong.map(([, code]) => ({ code, stdout: '' })),
  );
  for (const [i, [, , sentence]] of wrong.entries()) expect(ends[i]?.stderr).toMatch(sentence);
}, 60_000);
