import { afterEach, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { DEFAULT_CLIENT, OWNER_SCOPES } from '../../simulator/index.ts';
import { ASSETS, BASIC, readJwks, refresh, requestToken, verifyToken, WALLET } from './sso-requests.ts';
import { ANNA, closeSimulators, startTestSimulator } from './test-simulator.ts';

afterEach(closeSimulators);

describe('the token address', () => {
  test('the token endpoint accepts only forms of known clients', async () => {
    const { simulator } = await startTestSimulator();
    const url = `${simulator.ssoUrl}/v2/oauth/token`;
    const json = await fetch(url, { method: 'POST', body: '{}', headers: { authorization: BASIC } });
    expect(json.status).toBe(415);
    const wrong = `Basic ${Buffer.from('simulated-client:guess').toString('base64')}`;
    const refused = await requestToken(simulator, { grant_type: 'refresh_token', refresh_token: 'x' }, wrong);
    expect([refused.status, refused.json.error]).toEqual([401, 'invalid_client']);
    expect((await requestToken(simulator, { grant_type: 'password' })).json.error).toBe(
      'unsupported_grant_type',
    );
    const inBody = { client_id: DEFAULT_CLIENT.id, client_secret: DEFAULT_CLIENT.secret ?? '' };
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, ...inBody };
    expect((await requestToken(simulator, form, '')).status).toBe(200);
    expect(simulator.sso.requests()).toMatchObject({ refresh_token: 2, other: 2, authorize: 0 });
  });

  test('rotation "never" keeps the refresh token', async () => {
    const { simulator } = await startTestSimulator({ sso: { rotation: 'never' } });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    expect((await refresh(simulator, refreshToken)).json.refresh_token).toBe(refreshToken);
    expect(simulator.sso.tokenCount(ANNA)).toBe(1);
  });

  test('rotation "lenient" keeps the old refresh token until the new one is used', async () => {
    const { simulator } = await startTestSimulator();
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const lost = (await refresh(simulator, refreshToken)).json.refresh_token;
    const second = (await refresh(simulator, refreshToken)).json.refresh_token;
    expect(new Set([refreshToken, lost, second]).size).toBe(3);
    expect((await refresh(simulator, second)).status).toBe(200);
    for (const old of [refreshToken, lost]) expect((await refresh(simulator, old)).status).toBe(400);
  });

  test('rotation "strict" invalidates a refresh token at its use', async () => {
    const { simulator } = await startTestSimulator();
    simulator.sso.setRotation('strict');
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const next = (await refresh(simulator, refreshToken)).json.refresh_token;
    expect(await refresh(simulator, refreshToken)).toMatchObject({
      status: 400,
      json: { error: 'invalid_grant', error_description: expect.any(String) },
    });
    expect(simulator.sso.grants(ANNA)).toEqual([
      { clientId: DEFAULT_CLIENT.id, scopes: OWNER_SCOPES, refreshTokens: [next] },
    ]);
  });

  test('a refresh can ask for fewer scopes, but not for others than those granted', async () => {
    const { simulator } = await startTestSimulator({ sso: { rotation: 'never' } });
    const { refreshToken } = await simulator.sso.issue(ANNA, [WALLET, ASSETS]);
    const scopes = async (scope?: string) => {
      const { json } = await refresh(simulator, refreshToken, scope === undefined ? {} : { scope });
      return json.error ?? decodeJwt(json.access_token)['scp'];
    };
    expect(await scopes()).toEqual([WALLET, ASSETS]);
    expect(await scopes(WALLET)).toBe(WALLET);
    expect(await scopes('esi-other.one.v1')).toBe('invalid_scope');
    simulator.sso.withdrawScope(ANNA, ASSETS);
    expect(await scopes()).toBe(WALLET);
    expect(await scopes(ASSETS)).toBe('invalid_scope');
  });

  test('a revocation is answered with 200 for any token', async () => {
    const { simulator } = await startTestSimulator();
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const revoke = (text: string) =>
      fetch(`${simulator.ssoUrl}/v2/oauth/revoke`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: BASIC },
        body: new URLSearchParams({ token: text, token_type_hint: 'refresh_token' }).toString(),
      });
    expect([(await revoke('nonsense')).status, (await revoke(refreshToken)).status]).toEqual([200, 200]);
    expect((await refresh(simulator, refreshToken)).status).toBe(400);
    const other = await simulator.sso.issue(ANNA);
    simulator.sso.revoke(ANNA);
    expect((await refresh(simulator, other.refreshToken)).status).toBe(400);
    expect(simulator.sso.tokenCount(ANNA)).toBe(0);
  });
});

describe('tokens and keys', () => {
  test('tokens are signed with ES256, with new keys, and with a key that the JWKS lacks', async () => {
    const { simulator, clock } = await startTestSimulator({ sso: { algorithm: 'ES256' } });
    const issue = async () => (await simulator.sso.issue(ANNA)).accessToken;
    const before = await issue();
    expect(decodeProtectedHeader(before).alg).toBe('ES256');
    await verifyToken(simulator, before, clock.now());
    await simulator.sso.rotateKeys();
    await expect(verifyToken(simulator, before, clock.now())).rejects.toThrow();
    await verifyToken(simulator, await issue(), clock.now());
    simulator.sso.setAlgorithm('RS256');
    expect(decodeProtectedHeader(await issue()).kid).toBe('JWT-Signature-Key-2');
    await simulator.sso.removeKey();
    expect((await readJwks(simulator)).map(({ alg }) => alg)).toEqual(['ES256']);
    await expect(verifyToken(simulator, await issue(), clock.now())).rejects.toThrow();
  });

  test('forged tokens fail verification and can be put into an answer', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { sso } = simulator;
    const forgeries = [
      { header: { alg: 'none' } },
      { header: { alg: 'HS256' } },
      { key: 'other' as const },
      { key: 'none' as const },
      { header: { kid: 'unknown' } },
      { payload: { iss: 'https://evil.example' } },
      { payload: { aud: ['someone-else'] } },
      { payload: { exp: 1 } },
    ];
    for (const forgery of forgeries)
      await expect(verifyToken(simulator, await sso.forge(ANNA, forgery), clock.now())).rejects.toThrow();
    const forged = await sso.forge(ANNA, { payload: { sub: 'CHARACTER:EVE:7', name: undefined } });
    expect((await verifyToken(simulator, forged, clock.now())).payload).toMatchObject({
      sub: 'CHARACTER:EVE:7',
    });
    sso.nextAccessToken(forged);
    const { refreshToken } = await sso.issue(ANNA);
    const { json } = await refresh(simulator, refreshToken);
    expect(json.access_token).toBe(forged);
    expect((await refresh(simulator, json.refresh_token)).json.access_token).not.toBe(forged);
  });

  test('the next token of a transferred character has another owner hash', async () => {
    const { simulator } = await startTestSimulator();
    const { refreshToken, accessToken } = await simulator.sso.issue(ANNA);
    const hash = simulator.sso.transfer(ANNA);
    const { json } = await refresh(simulator, refreshToken);
    expect(decodeJwt(json.access_token)['owner']).toBe(hash);
    expect(decodeJwt(accessToken)['owner']).not.toBe(hash);
    expect(hash).toHaveLength(28);
  });
});
