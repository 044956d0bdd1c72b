import { afterEach, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { DEFAULT_CLIENT } from '../../simulator/index.ts';
import {
  ASSETS,
  authorizeUrl,
  BACK,
  CHALLENGE,
  keysOf,
  pick,
  redeem,
  refresh,
  token,
  VERIFIER,
  verify,
  WALLET,
} from './sso-support.ts';
import { BRAM, closeAll, kinds, start } from './support.ts';

afterEach(closeAll);

describe('the login', () => {
  test('is described where it should be', async () => {
    const { simulator } = await start();
    const { ssoUrl } = simulator;
    expect(ssoUrl).toBe(`${simulator.url}/sso`);
    const answer = await fetch(`${ssoUrl}/.well-known/oauth-authorization-server`);
    expect(await answer.json()).toMatchObject({
      issuer: ssoUrl,
      authorization_endpoint: `${ssoUrl}/v2/oauth/authorize`,
      token_endpoint: `${ssoUrl}/v2/oauth/token`,
      jwks_uri: `${ssoUrl}/oauth/jwks`,
      revocation_endpoint: `${ssoUrl}/v2/oauth/revoke`,
      code_challenge_methods_supported: ['S256'],
    });
    expect((await keysOf(simulator)).map(({ alg }) => alg)).toEqual(['RS256', 'ES256']);
  });

  test('shows the characters as links, and a link goes back with a code', async () => {
    const { simulator, clock } = await start();
    const page = await (await fetch(authorizeUrl(simulator))).text();
    expect(page).toContain('Anna Testa');
    const link = /href="([^"]*character=90000002)"/.exec(page)?.[1]?.replaceAll('&#38;', '&') ?? '';
    const response = await fetch(simulator.url + link, { redirect: 'manual' });
    const sent = new URL(response.headers.get('location') ?? '');
    expect([sent.origin + sent.pathname, sent.searchParams.get('state')]).toEqual([BACK, 's&t']);
    const code = sent.searchParams.get('code') ?? '';
    const { status, json } = await token(simulator, { grant_type: 'authorization_code', code });
    expect([status, json.expires_in, json.token_type]).toEqual([200, 1_199, 'Bearer']);
    const { payload, protectedHeader } = await verify(simulator, json.access_token, clock.time);
    expect(protectedHeader).toEqual({ alg: 'RS256', kid: 'JWT-Signature-Key', typ: 'JWT' });
    expect(payload).toEqual({
      scp: [WALLET, ASSETS],
      jti: expect.any(String),
      kid: 'JWT-Signature-Key',
      sub: `CHARACTER:EVE:${BRAM}`,
      azp: DEFAULT_CLIENT.id,
      tenant: 'tranquility',
      tier: 'live',
      region: 'world',
      aud: [DEFAULT_CLIENT.id, 'EVE Online'],
      name: 'Bram Proof',
      owner: simulator.sso.ownerHash(BRAM),
      exp: clock.time / 1_000 + 1_200,
      iat: clock.time / 1_000,
      iss: simulator.ssoUrl,
    });
    expect(kinds(simulator)).toEqual([]);
  });

  test('is refused, cut short, and never sent elsewhere', async () => {
    const { simulator } = await start({
      sso: { clients: [{ ...DEFAULT_CLIENT, redirectUris: [BACK] }] },
    });
    const status = async (more: Record<string, string>) =>
      (await fetch(authorizeUrl(simulator, more), { redirect: 'manual' })).status;
    expect(await status({ client_id: 'nobody' })).toBe(400);
    expect(await status({ redirect_uri: 'http://localhost:8080/other' })).toBe(400);
    expect(await status({ response_type: 'token' })).toBe(400);
    expect(await status({ character: '5' })).toBe(400);
    expect((await pick(simulator, {}, { deny: true })).get('error')).toBe('access_denied');
    expect((await pick(simulator, { scope: 'everything' })).get('error')).toBe('invalid_scope');
    const code = (await pick(simulator, {}, { grant: [ASSETS] })).get('code') ?? '';
    const { json } = await token(simulator, { grant_type: 'authorization_code', code });
    expect(decodeJwt(json.access_token)['scp']).toBe(ASSETS); // one scope is a plain string
    const none = (await pick(simulator, { scope: '' })).get('code') ?? '';
    const bare = await token(simulator, { grant_type: 'authorization_code', code: none });
    expect([bare.json.refresh_token, decodeJwt(bare.json.access_token)['scp']]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('a code is good for one use within five minutes', async () => {
    const { simulator, clock } = await start();
    const first = await redeem(simulator);
    expect(first.status).toBe(200);
    const again = await token(simulator, { grant_type: 'authorization_code', code: first.code });
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant']);
    expect((await refresh(simulator, first.json.refresh_token)).json.error).toBe('invalid_grant');
    const late = (await pick(simulator)).get('code') ?? '';
    clock.pass(300);
    expect((await token(simulator, { grant_type: 'authorization_code', code: late })).status).toBe(400);
    expect((await redeem(simulator, { redirect_uri: `${BACK}2` })).status).toBe(400);
    expect((await redeem(simulator, { redirect_uri: BACK })).status).toBe(200);
  });

  test('PKCE is checked, and stands for the secret of a public client', async () => {
    const clients = [DEFAULT_CLIENT, { id: 'public', redirectUris: ['loopback'] }];
    const { simulator } = await start({ sso: { clients } });
    const challenge = { client_id: 'public', code_challenge: CHALLENGE, code_challenge_method: 'S256' };
    const publicly = async (query: Record<string, string>, form: Record<string, string>) => {
      const code = (await pick(simulator, { client_id: 'public', ...query })).get('code') ?? '';
      return token(simulator, { grant_type: 'authorization_code', code, client_id: 'public', ...form }, '');
    };
    expect((await publicly(challenge, { code_verifier: VERIFIER })).status).toBe(200);
    expect((await publicly(challenge, { code_verifier: 'wrong' })).status).toBe(400);
    expect((await publicly({}, {})).status).toBe(400);
    expect((await pick(simulator, { ...challenge, code_challenge_method: 'plain' })).get('error')).toBe(
      'invalid_request',
    );
  });
});
