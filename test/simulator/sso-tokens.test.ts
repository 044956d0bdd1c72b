import { afterEach, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { DEFAULT_CLIENT, OWNER_SCOPES } from '../../simulator/index.ts';
import { ASSETS, BASIC, keysOf, refresh, token, verify, WALLET } from './sso-support.ts';
import { ANNA, closeAll, start } from './support.ts';

afterEach(closeAll);

describe('the token address', () => {
  test('takes forms of known clients only', async () => {
    const { simulator } = await start();
    const url = `${simulator.ssoUrl}/v2/oauth/token`;
    const json = await fetch(url, { method: 'POST', body: '{}', headers: { authorization: BASIC } });
    expect(json.status).toBe(415);
    const wrong = `Basic ${Buffer.from('simulated-client:guess').toString('base64')}`;
    const refused = await token(simulator, { grant_type: 'refresh_token', refresh_token: 'x' }, wrong);
    expect([refused.status, refused.json.error]).toEqual([401, 'invalid_client']);
    expect((await token(simulator, { grant_type: 'password' })).json.error).toBe('unsupported_grant_type');
    const inBody = { client_id: DEFAULT_CLIENT.id, client_secret: DEFAULT_CLIENT.secret ?? '' };
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, ...inBody };
    expect((await token(simulator, form, '')).status).toBe(200);
    expect(simulator.sso.requests()).toMatchObject({ refresh_token: 2, other: 2, authorize: 0 });
  });

  test('never rotates, if so told', async () => {
    const { simulator } = await start({ sso: { rotation: 'never' } });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    expect((await refresh(simulator, refreshToken)).json.refresh_token).toBe(refreshToken);
    expect(simulator.sso.tokenCount(ANNA)).toBe(1);
  });

  test('rotates leniently: the old token is good until the new one is used', async () => {
    const { simulator } = await start();
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const lost = (await refresh(simulator, refreshToken)).json.refresh_token;
    const second = (await refresh(simulator, refreshToken)).json.refresh_token;
    expect(new Set([refreshToken, lost, second]).size).toBe(3);
    expect((await refresh(simulator, second)).status).toBe(200);
    for (const old of [refreshToken, lost]) expect((await refresh(simulator, old)).status).toBe(400);
  });

  test('rotates strictly', async () => {
    const { simulator } = await start();
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

  test('gives fewer scopes on request, and none that was not granted or is withdrawn', async () => {
    const { simulator } = await start({ sso: { rotation: 'never' } });
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

  test('revokes, and always says yes to it', async () => {
    const { simulator } = await start();
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
  test('ES256, new keys, and a key that is missing', async () => {
    const { simulator, clock } = await start({ sso: { algorithm: 'ES256' } });
    const issue = async () => (await simulator.sso.issue(ANNA)).accessToken;
    const before = await issue();
    expect(decodeProtectedHeader(before).alg).toBe('ES256');
    await verify(simulator, before, clock.time);
    await simulator.sso.rotateKeys();
    await expect(verify(simulator, before, clock.time)).rejects.toThrow();
    await verify(simulator, await issue(), clock.time);
    simulator.sso.setAlgorithm('RS256');
    expect(decodeProtectedHeader(await issue()).kid).toBe('JWT-Signature-Key-2');
    await simulator.sso.removeKey();
    expect((await keysOf(simulator)).map(({ alg }) => alg)).toEqual(['ES256']);
    await expect(verify(simulator, await issue(), clock.time)).rejects.toThrow();
  });

  test('forged ones do not pass, and can be planted', async () => {
    const { simulator, clock } = await start();
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
      await expect(verify(simulator, await sso.forge(ANNA, forgery), clock.time)).rejects.toThrow();
    const odd = await sso.forge(ANNA, { payload: { sub: 'CHARACTER:EVE:7', name: undefined } });
    expect((await verify(simulator, odd, clock.time)).payload).toMatchObject({ sub: 'CHARACTER:EVE:7' });
    sso.nextAccessToken(odd);
    const { refreshToken } = await sso.issue(ANNA);
    const { json } = await refresh(simulator, refreshToken);
    expect(json.access_token).toBe(odd);
    expect((await refresh(simulator, json.refresh_token)).json.access_token).not.toBe(odd);
  });

  test('a transferred character has another owner in its next token', async () => {
    const { simulator } = await start();
    const { refreshToken, accessToken } = await simulator.sso.issue(ANNA);
    const hash = simulator.sso.transfer(ANNA);
    const { json } = await refresh(simulator, refreshToken);
    expect(decodeJwt(json.access_token)['owner']).toBe(hash);
    expect(decodeJwt(accessToken)['owner']).not.toBe(hash);
    expect(hash).toHaveLength(28);
  });
});
