import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import type { Log } from '../../src/lib/log.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import { classifyCallback } from '../../src/sso/sso-errors.ts';
import { createSsoClient, type SsoClient, type SsoOptions } from '../../src/sso/sso-client.ts';
import { type TestClock, testClock } from '../support/test-clock.ts';
import { allOf, errorOf, refresh } from './support.ts';

const CHARACTER = 90000001;
const SCOPES = ['esi-wallet.read_character_wallet.v1', 'esi-assets.read_assets.v1'];
const CALLBACK = 'http://localhost:8080/callback';

let sim: Simulator;
let clock: TestClock;
let sso: SsoClient;
let logged: string[];
const closing: (() => Promise<void>)[] = [];

/** A log that records everything. */
function recorder(): Log {
  const note = (fields: object, message: string) => void logged.push(JSON.stringify(fields) + message);
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  return log;
}

function connect(options: Partial<SsoOptions> = {}): SsoClient {
  const client = createSsoClient({
    baseUrl: sim.ssoUrl,
    clientId: 'simulated-client',
    clientSecret: 'simulated-secret',
    callbackUrl: CALLBACK,
    userAgent: 'eve-collector-test (test@example.com)',
    clock,
    log: recorder(),
    ...options,
  });
  closing.push(() => client.close());
  return client;
}

async function open(options: SimulatorOptions = {}): Promise<void> {
  clock = testClock();
  const started = await startSimulator({ clock, ...options });
  closing.push(() => started.close());
  sim = started;
  sso = connect();
}

beforeEach(async () => {
  logged = [];
  await open();
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Logs in as a person does in the browser, and returns the query of the callback. */
async function browse(
  url: string,
  choice: Parameters<Simulator['sso']['loginUrl']>[2] = {},
): Promise<{ state: string; code: string | undefined; error: string | undefined }> {
  const headers = { 'user-agent': 'Mozilla/5.0 (a browser)' };
  const answer = await request(sim.sso.loginUrl(url, CHARACTER, choice), { headers });
  await answer.body.dump();
  expect(answer.statusCode).toBe(302);
  const back = new URL(String(answer.headers.location));
  expect(back.origin + back.pathname).toBe(CALLBACK);
  const query = Object.fromEntries(back.searchParams) as { state: string; code?: string; error?: string };
  const error = query.error === undefined ? undefined : classifyCallback(query.error).code;
  return { state: query.state, code: query.code, error };
}

/** Starts a login and returns its code. */
async function begin(client = sso): Promise<{ code: string; verifier: string }> {
  const { url, state, verifier } = await client.startLogin(SCOPES);
  const back = await browse(url);
  expect(back).toEqual({ state, code: expect.any(String), error: undefined });
  return { code: back.code!, verifier };
}

const login = async (client = sso) => client.finishLogin(await begin(client));
const dead = { code: 'LOGIN_DEAD', verdict: 'fail' };

describe('SSO login', () => {
  test('a login starts with an address that contains no secret but the state', async () => {
    const { url, state, verifier } = await sso.startLogin(SCOPES);
    expect(url.startsWith(`${sim.ssoUrl}/v2/oauth/authorize?`)).toBe(true);
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      response_type: 'code',
      client_id: 'simulated-client',
      redirect_uri: CALLBACK,
      scope: SCOPES.join(' '),
      state,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    expect(url).not.toContain(verifier);
    for (const secret of [state, verifier]) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect((await sso.startLogin(SCOPES)).state).not.toBe(state);
  });

  test('a completed login returns tokens and the identity', async () => {
    const grant = await login();
    expect(grant).toEqual({
      accessToken: expect.stringMatching(/^eyJ/),
      refreshToken: sim.sso.grants(CHARACTER)[0]!.refreshTokens[0],
      expiresAt: new Date(clock.now() + 1_200_000),
      identity: {
        characterId: CHARACTER,
        name: expect.stringMatching(/./),
        ownerHash: sim.sso.ownerHash(CHARACTER),
        scopes: SCOPES,
      },
    });
    expect(sim.sso.requests()).toMatchObject({ metadata: 1, jwks: 1, authorization_code: 1 });
    expect(await sso.verify(grant.accessToken)).toMatchObject({ identity: grant.identity });
    const words = logged.join('\n');
    for (const secret of [grant.accessToken, grant.refreshToken, 'simulated-secret'])
      expect(words).not.toContain(secret);
  });

  test('a login returns the granted scopes, also a single one', async () => {
    const { url, verifier } = await sso.startLogin(SCOPES);
    const { code } = await browse(url, { grant: [SCOPES[1]!] });
    const { identity } = await sso.finishLogin({ code: code!, verifier });
    expect(identity.scopes).toEqual([SCOPES[1]]);
  });

  test('a token signed with ES256 is accepted', async () => {
    sim.sso.setAlgorithm('ES256');
    expect((await login()).identity.characterId).toBe(CHARACTER);
  });

  test('a public client logs in with PKCE only', async () => {
    const redirectUris = ['loopback'];
    await open({ sso: { clients: [{ id: 'public', redirectUris }] } });
    expect((await login(connect({ clientId: 'public', clientSecret: undefined }))).identity.scopes).toEqual(
      SCOPES,
    );
  });

  test('a cancelled login is denied, and one with an unknown scope is rejected', async () => {
    const { url, state } = await sso.startLogin(SCOPES);
    expect(await browse(url, { deny: true })).toMatchObject({ state, error: 'LOGIN_DENIED' });
    const strange = await sso.startLogin(['no-scope-of-eve']);
    expect(await browse(strange.url)).toMatchObject({
      state: strange.state,
      error: 'SSO_BAD_SCOPE',
    });
    for (const scopes of [[], ['two scopes']])
      expect(await errorOf(sso.startLogin(scopes))).toMatchObject({ code: 'SSO_BAD_SCOPE', verdict: 'fail' });
  });

  test('a login cannot be completed with another verifier, twice, late, or by another client', async () => {
    const { code, verifier } = await begin();
    expect(await errorOf(sso.finishLogin({ code, verifier: 'x'.repeat(43) }))).toMatchObject(dead);
    const wrong = connect({ clientSecret: 'wrong' });
    expect(await errorOf(wrong.finishLogin({ code, verifier }))).toMatchObject({ code: 'SSO_BAD_CLIENT' });
    await sso.finishLogin({ code, verifier });
    const replayed = await errorOf(sso.finishLogin({ code, verifier }));
    expect(replayed).toMatchObject(dead);
    for (const secret of [code, verifier, 'simulated-secret']) expect(allOf(replayed)).not.toContain(secret);
    const late = await begin();
    clock.advance(300_000);
    expect(await errorOf(sso.finishLogin(late))).toMatchObject(dead);
  });
});

describe('SSO refresh', () => {
  test('a refresh returns new tokens of the same character', async () => {
    const first = await login();
    clock.advance(1_140_000);
    const stored: string[] = [];
    const second = await refresh(sso, first.refreshToken, undefined, (token) => stored.push(token));
    expect(second.accessToken).not.toBe(first.accessToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(stored).toEqual([second.refreshToken]);
    expect(second).toMatchObject({ identity: first.identity, expiresAt: new Date(clock.now() + 1_200_000) });
    expect((await refresh(sso, second.refreshToken)).identity).toEqual(first.identity);
    expect(sim.offences()).toEqual([]);
  });

  test('a refresh without rotation returns no rotated token', async () => {
    sim.sso.setRotation('never');
    const { refreshToken } = await login();
    const answer = await sso.refresh(refreshToken);
    expect(answer.rotatedToken).toBeUndefined();
    expect((await answer.verify()).refreshToken).toBe(refreshToken);
  });

  test('a refresh with a used, revoked or invalid token fails for good', async () => {
    sim.sso.setRotation('strict');
    const { refreshToken } = await login();
    const second = await refresh(sso, refreshToken);
    expect(await errorOf(refresh(sso, refreshToken))).toMatchObject(dead);
    expect(await errorOf(refresh(sso, 'nonsense'))).toMatchObject(dead);
    await sso.revoke(second.refreshToken);
    expect(sim.sso.tokenCount(CHARACTER)).toBe(0);
    const error = await errorOf(refresh(sso, second.refreshToken));
    expect(error).toMatchObject(dead);
    expect(allOf(error)).not.toContain(second.refreshToken);
    await sso.revoke(second.refreshToken); // a second time, it is dead already
  });

  test('a refresh returns the owner hash of a transferred character', async () => {
    const { refreshToken, identity } = await login();
    const owner = sim.sso.transfer(CHARACTER);
    const renewed = (await refresh(sso, refreshToken)).identity;
    expect([renewed.ownerHash, renewed.characterId]).toEqual([owner, identity.characterId]);
    expect(owner).not.toBe(identity.ownerHash);
  });

  test('a refresh finds the new keys after EVE changed them', async () => {
    const { refreshToken } = await login();
    await sim.sso.rotateKeys();
    await refresh(sso, refreshToken);
    expect(sim.sso.requests().jwks).toBe(2);
  });

  test('a token with an unpublished key is rejected, and the keys are loaded once', async () => {
    const { accessToken } = await login();
    await sim.sso.rotateKeys();
    await sim.sso.removeKey();
    const { refreshToken } = await sim.sso.issue(CHARACTER, SCOPES);
    for (let n = 0, next = refreshToken; n < 4; n++)
      expect(await errorOf(refresh(sso, next, undefined, (token) => (next = token)))).toMatchObject({
        code: 'BAD_TOKEN',
      });
    expect(sim.sso.requests().jwks).toBe(2);
    expect(await errorOf(sso.verify(accessToken))).toMatchObject({ code: 'BAD_TOKEN' }); // of the old key
  });

  const forgeries: [string, Parameters<Simulator['sso']['forge']>[1], string][] = [
    ['unsigned', { header: { alg: 'none' } }, 'is unsigned'],
    ['signed with the public key', { header: { alg: 'HS256' } }, 'signed with an algorithm'],
    ['signed with another key', { key: 'other' }, 'is forged'],
    ['of another issuer', { payload: { iss: 'https://login.evil.example' } }, 'was not issued by'],
    ['for another application', { payload: { aud: ['another', 'EVE Online'] } }, 'another application'],
    ['without an owner', { payload: { owner: undefined } }, 'no valid "owner"'],
    ['of an older day', { payload: { exp: 1_600_000_000 } }, 'has expired'],
  ];
  test.each(forgeries)(
    'a refresh that returns a token %s is rejected, and its refresh token is stored',
    async (_, forgery, reason) => {
      const { refreshToken } = await login();
      const forged = await sim.sso.forge(CHARACTER, forgery);
      sim.sso.nextAccessToken(forged);
      const stored: string[] = [];
      const error = await errorOf(refresh(sso, refreshToken, undefined, (token) => stored.push(token)));
      expect(error).toMatchObject({ code: 'BAD_TOKEN', verdict: 'fail' });
      expect(error.message).toContain(reason);
      expect(allOf(error)).not.toContain(forged);
      expect(stored).toHaveLength(1);
      expect((await refresh(sso, stored[0]!)).identity.characterId).toBe(CHARACTER);
    },
  );
});

describe('SSO failures', () => {
  const faults: [string, (faults: Simulator['faults']) => void, string][] = [
    ['5xx', (f) => f.status(503, { route: '/sso/v2/oauth/token' }), 'SSO_TROUBLE'],
    ['a web page', (f) => f.html({ route: '/sso/v2/oauth/token' }), 'SSO_TROUBLE'],
    ['no JSON', (f) => f.badJson({ route: '/sso/v2/oauth/token' }), 'SSO_TROUBLE'],
    ['a huge answer', (f) => f.oversize(1_000_000, { route: '/sso/v2/oauth/token' }), 'SSO_TROUBLE'],
    ['a broken connection', (f) => f.reset({ route: '/sso/v2/oauth/token' }), 'SSO_UNREACHABLE'],
    ['half an answer', (f) => f.truncate({ route: '/sso/v2/oauth/token' }), 'SSO_UNREACHABLE'],
    ['no answer', (f) => f.hang({ route: '/sso/v2/oauth/token' }), 'SSO_UNREACHABLE'],
    ['metadata that cannot be loaded', (f) => f.status(500, { route: '/sso/.well-known' }), 'SSO_TROUBLE'],
    ['keys that cannot be loaded', (f) => f.reset({ route: '/sso/oauth/jwks' }), 'SSO_UNREACHABLE'],
  ];
  test.each(faults)('a refresh succeeds when it is retried after a failure (%s)', async (_, strike, code) => {
    const { refreshToken } = await sim.sso.issue(CHARACTER, SCOPES);
    const client = connect({ timeouts: { answer: 2_000 } });
    strike(sim.faults);
    expect(await errorOf(refresh(client, refreshToken))).toMatchObject({ code, verdict: 'retry' });
    sim.faults.clear();
    expect((await refresh(sso, refreshToken)).identity.characterId).toBe(CHARACTER);
  });

  test('a 429 of the SSO says how long to wait', async () => {
    const { refreshToken } = await sim.sso.issue(CHARACTER, SCOPES);
    sim.faults.status(429, { route: '/sso/v2/oauth/token', retryAfter: 7 });
    const error = await errorOf(refresh(sso, refreshToken));
    expect(error).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'wait', retryAfter: 7_000 });
  });
});
