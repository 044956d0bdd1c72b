import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { listAssignments } from '../../../src/engine/owners/assignment-service.ts';
import { startLogin, finishLogin, loginResult } from '../../../src/engine/owners/login-flow.ts';
import { tokenContext } from '../../../src/engine/owners/access-token.ts';
import { chooseCollectors, neededScopes } from '../../../src/engine/owners/login-rights.ts';
import { listTokens } from '../../../src/engine/owners/token-service.ts';
import type { Forgery, LoginChoice } from '../../../simulator/index.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { logInThroughSso, authorizeAtSso } from '../../support/sso-login.ts';

const [ANNA, BRAM, NOVICE] = [90000001, 90000002, 90000003];
const CORPORATION = 98000001;
const WALLET = 'esi-wallet.read_character_wallet.v1';

let engine: TestEngine;
beforeEach(async () => {
  const roles = ['Accountant', 'Director', 'Factory_Manager', 'Trader'];
  engine = await testEngine({
    owners: {
      characters: [
        { id: ANNA, name: 'Anna Testa', corporationId: CORPORATION, roles },
        { id: BRAM, name: 'Bram Proof', corporationId: CORPORATION },
        { id: NOVICE, name: 'New Bie', corporationId: 1000125 },
      ],
      corporations: [{ id: CORPORATION, name: 'Proof of Concept', ticker: 'PROOF' }],
    },
  });
});
afterEach(() => engine.close());

const authorize = (url: string, id: number, choice?: LoginChoice) => authorizeAtSso(engine, url, id, choice);
const logIn = (id: number, choice?: LoginChoice, collectors?: string[]) =>
  logInThroughSso(engine, id, choice, collectors);
const targets = async () => (await listAssignments(engine.context)).map((a) => `${a.collector} ${a.target}`);

/** Expects that no character, token or assignment is stored. */
async function expectNothing() {
  for (const table of ['characters', 'esi_tokens', 'esi_token_scopes', 'collector_assignments'])
    expect(await engine.db.rows(`SELECT * FROM ${table}`)).toEqual([]);
}

test('a login stores encrypted tokens and creates the assignments that it allows', async () => {
  const { url, state, expiresAt } = await startLogin(engine.context);
  expect(expiresAt.getTime() - engine.clock.now()).toBe(600_000);
  const requested = new URL(url).searchParams.get('scope')?.split(' ');
  expect(requested).toEqual(neededScopes(chooseCollectors()));
  expect(await loginResult(engine.context, state)).toMatchObject({ state: 'waiting' });

  const report = await finishLogin(engine.context, await authorize(url, ANNA));
  expect(report).toMatchObject({ characterId: ANNA, name: 'Anna Testa', missing: [], renewed: false });
  expect(report.enabled).toEqual([
    ...['wallet', 'assets', 'orders', 'industry'].map((name) => `${name} character/${ANNA}`),
    ...['wallet', 'assets', 'orders', 'industry'].map((name) => `${name} corporation/${CORPORATION}`),
  ]);
  expect(report.message).toMatch(/^Anna Testa is logged in\. Collected from now on: wallet character/);
  expect(await loginResult(engine.context, state)).toEqual({
    state: 'done',
    message: report.message,
    characterId: ANNA,
  });
  expect((await targets()).toSorted()).toEqual([...report.enabled].toSorted());

  const [token] = await engine.db.rows<Record<string, string>>('SELECT * FROM esi_tokens');
  const { cipher } = engine.context;
  const opened = cipher.decrypt(token!['refresh_token']!, tokenContext(ANNA, 'refresh_token'));
  expect(engine.sim.sso.grants(ANNA)[0]?.refreshTokens).toContain(opened);
  expect(cipher.decrypt(token!['access_token']!, tokenContext(ANNA, 'access_token'))).toMatch(/^eyJ/);
  expect(token).toMatchObject({
    character_id: ANNA,
    character_name: 'Anna Testa',
    is_active: true,
    inactive_reason: null,
    owner_hash: engine.sim.sso.ownerHash(ANNA),
    scopes: report.granted.join(','),
  });
  const scopes = await engine.db.rows<{ scope: string }>('SELECT scope FROM esi_token_scopes');
  expect(scopes.map(({ scope }) => scope).toSorted()).toEqual([...report.granted].toSorted());
  expect(await listTokens(engine.context)).toMatchObject([
    { corporation: 'Proof of Concept', isActive: true },
  ]);
  expect(engine.sim.offences()).toEqual([]);
});

test('neither state nor verifier nor token can be read from the database', async () => {
  const { url, state } = await startLogin(engine.context);
  const pending = JSON.stringify(await engine.db.rows('SELECT * FROM esi_logins'));
  expect(pending).toContain(createHash('sha256').update(state).digest('hex'));
  const callback = await authorize(url, ANNA);
  await finishLogin(engine.context, callback);
  const rows = await Promise.all(
    ['esi_logins', 'esi_tokens'].map((table) => engine.db.rows(`SELECT * FROM ${table}`)),
  );
  const text = pending + JSON.stringify(rows);
  for (const secret of [state, callback.code!, 'eyJhbGci', ...engine.sim.sso.grants(ANNA)[0]!.refreshTokens])
    expect(text).not.toContain(secret);
});

test('a character that grants less is used for what it granted', async () => {
  const report = await logIn(BRAM, { grant: [WALLET] });
  expect(report).toMatchObject({ granted: [WALLET], enabled: [`wallet character/${BRAM}`] });
  expect(report.missing).toContain('esi-assets.read_assets.v1');
  expect(report.message).toMatch(/Not granted: .*esi-assets\.read_assets\.v1/);
  expect(await targets()).toEqual([`wallet character/${BRAM}`]);
});

test('a login for chosen collectors requests only their scopes', async () => {
  const report = await logIn(BRAM, undefined, ['industry']);
  expect(report.granted).toContain('esi-industry.read_character_jobs.v1');
  expect(report.granted).not.toContain(WALLET);
  expect(report.enabled).toEqual([`industry character/${BRAM}`]);
  await expect(startLogin(engine.context, { collectors: ['moon-dust'] })).rejects.toMatchObject({
    code: 'UNKNOWN_COLLECTOR',
  });
});

test('a login creates assignments of the corporation only with the role, and reports missing roles', async () => {
  const bram = await logIn(BRAM);
  expect(bram.enabled.filter((name) => name.includes('corporation'))).toEqual([]);
  expect(bram.message).toMatch(
    /wallet of Proof of Concept is not collected: Bram Proof lacks the role Accountant or Junior Accountant/,
  );
  const anna = await logIn(ANNA);
  expect(anna.enabled).toContain(`wallet corporation/${CORPORATION}`);
});

test('a login creates no assignments for NPC corporations', async () => {
  const report = await logIn(NOVICE);
  expect(report.enabled.filter((name) => name.includes('corporation'))).toEqual([]);
  expect(report.message).not.toMatch(/lacks/);
});

test.each([
  ['nothing', {}],
  ['an empty state', { state: '', code: 'code' }],
  ['an unknown state', { state: 'x'.repeat(43), code: 'code' }],
])('a callback with %s is refused', async (_, callback) => {
  await startLogin(engine.context);
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({
    code: 'LOGIN_UNKNOWN',
    message: expect.stringMatching(/Nothing was stored\. Please start again\.$/) as unknown,
  });
  await expectNothing();
  expect(engine.sim.sso.requests().authorization_code).toBe(0);
});

test('a cancelled login stores nothing and is reported', async () => {
  const { url, state } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA, { deny: true });
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({ code: 'LOGIN_DENIED' });
  await expectNothing();
  expect(await loginResult(engine.context, state)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('cancelled') as unknown,
  });
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({ code: 'LOGIN_USED' });
});

test('a login that fails at EVE is over and is reported', async () => {
  const { state } = await startLogin(engine.context);
  await expect(finishLogin(engine.context, { state, error: 'server_error' })).rejects.toMatchObject({
    code: 'LOGIN_FAILED',
  });
  await expectNothing();
  expect(await loginResult(engine.context, state)).toMatchObject({ state: 'failed' });
});

test('a state can be used once, also by simultaneous callbacks', async () => {
  const { url } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA);
  const ends = await Promise.allSettled([1, 2, 3].map(() => finishLogin(engine.context, callback)));
  expect(ends.map((end) => end.status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  for (const end of ends)
    if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'LOGIN_USED' });
  expect(engine.sim.sso.requests().authorization_code).toBe(1);
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({ code: 'LOGIN_USED' });
});

test('a code is refused under another state', async () => {
  const { url } = await startLogin(engine.context);
  const { code } = await authorize(url, ANNA);
  const thief = await startLogin(engine.context);
  await expect(finishLogin(engine.context, { state: thief.state, code })).rejects.toMatchObject({
    code: 'LOGIN_DEAD',
  });
  await expectNothing();
});

test('a login expires after ten minutes', async () => {
  const { url, state } = await startLogin(engine.context);
  engine.clock.advance(600_001);
  const callback = await authorize(url, ANNA);
  expect(await loginResult(engine.context, state)).toMatchObject({ state: 'expired' });
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({ code: 'LOGIN_EXPIRED' });
  await expectNothing();
  engine.clock.advance(86_400_000);
  await startLogin(engine.context);
  expect(await engine.db.rows('SELECT * FROM esi_logins')).toHaveLength(1);
});

const now = Date.parse('2026-11-20T14:00:00Z') / 1_000;
test.each<[string, Forgery, RegExp]>([
  ['no signature', { header: { alg: 'none' } }, /unsigned/],
  [
    'the public key as secret',
    { header: { alg: 'HS256' } },
    /signed with an algorithm that EVE does not use|unsigned/,
  ],
  ["another key's signature", { key: 'other' }, /forged/],
  ['an unknown key', { header: { kid: 'nobody' } }, /key that EVE does not publish/],
  ['its time expired', { payload: { exp: now - 60 } }, /expired/],
  ['another issuer', { payload: { iss: 'https://evil.example.com' } }, /was not issued by/],
  ['another application', { payload: { aud: ['another', 'EVE Online'] } }, /another application/],
  ['no owner', { payload: { owner: undefined } }, /"owner"/],
  ['a name that cannot be stored', { payload: { name: 'Anna\u0000' } }, /"name"/],
  ['an expiry that is no date', { payload: { exp: 8.64e15 } }, /"exp"/],
  ['a user that is no character', { payload: { sub: 'CORPORATION:EVE:98000001' } }, /"sub"/],
])('a token with %s is refused', async (_, forgery, message) => {
  const { url, state } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA);
  engine.sim.sso.nextAccessToken(await engine.sim.sso.forge(ANNA, forgery));
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({ code: 'BAD_TOKEN', message });
  await expectNothing();
  expect(await loginResult(engine.context, state)).toMatchObject({ state: 'failed' });
});

test('the name of a token is stored and told without invisible characters', async () => {
  const { url } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA);
  const name = `\u001B[2JAnna\r\n\u202E${'x'.repeat(1_000)}`;
  engine.sim.sso.nextAccessToken(await engine.sim.sso.forge(ANNA, { payload: { name } }));
  const clean = `[2JAnna${'x'.repeat(93)}`;
  expect(await finishLogin(engine.context, callback)).toMatchObject({ characterId: ANNA, name: clean });
  expect(await listTokens(engine.context)).toMatchObject([{ name: clean }]);
});

test('a callback can be repeated when the SSO was unavailable', async () => {
  const { url, state } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA);
  engine.sim.faults.down('reset', { route: '/sso' });
  await expect(finishLogin(engine.context, callback)).rejects.toMatchObject({
    verdict: expect.stringMatching(/retry|wait/) as unknown,
  });
  await expectNothing();
  expect(await loginResult(engine.context, state)).toMatchObject({ state: 'waiting' });
  engine.sim.faults.clear();
  expect(await finishLogin(engine.context, callback)).toMatchObject({ characterId: ANNA });
});

test('a database error after the tokens are stored is reported with the way to check', async () => {
  const { url, state } = await startLogin(engine.context);
  await engine.db.rows('ALTER TABLE collector_assignments ADD CHECK (false)');
  const message = expect.stringMatching(/Check "eve-collector tokens list", and start again/);
  await expect(finishLogin(engine.context, await authorize(url, ANNA))).rejects.toMatchObject({
    message,
  });
  expect(await listTokens(engine.context)).toMatchObject([{ characterId: ANNA, isActive: true }]);
  expect(await loginResult(engine.context, state)).toEqual({ state: 'failed', message });
});

test('a login succeeds while ESI is unavailable, without the corporation', async () => {
  const { url } = await startLogin(engine.context);
  const callback = await authorize(url, ANNA);
  engine.sim.faults.down('503');
  const report = await finishLogin(engine.context, callback);
  expect(report.enabled).toEqual(
    ['wallet', 'assets', 'orders', 'industry'].map((name) => `${name} character/${ANNA}`),
  );
  expect(report.message).toMatch(/ESI did not answer about the corporation/);
  engine.sim.faults.clear();
});
