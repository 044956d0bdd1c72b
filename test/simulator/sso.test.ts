import { afterEach, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { DEFAULT_CLIENT } from '../../simulator/index.ts';
import {
  ASSETS,
  authorizeUrl,
  CALLBACK_URL,
  CHALLENGE,
  readJwks,
  authorize,
  redeem,
  refresh,
  requestToken,
  VERIFIER,
  verifyToken,
  WALLET,
} from './sso-requests.ts';
import { BRAM, closeSimulators, offenceKinds, startTestSimulator } from './test-simulator.ts';

afterEach(closeSimulators);

describe('the login', () => {
  test('the SSO serves its metadata document', async () => {
    const { simulator } = await startTestSimulator();
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
    expect((await readJwks(simulator)).map(({ alg }) => alg)).toEqual(['RS256', 'ES256']);
  });

  test('the authorize page links to the characters, and a link redirects with a code', async () => {
    const { simulator, clock } = await startTestSimulator();
    const page = await (await fetch(authorizeUrl(simulator))).text();
    expect(page).toContain('Anna Testa');
    const link = /href="([^"]*character=90000002)"/.exec(page)?.[1]?.replaceAll('&#38;', '&') ?? '';
    const response = await fetch(simulator.url + link, { redirect: 'manual' });
    const sent = new URL(response.headers.get('location') ?? '');
    expect([sent.origin + sent.pathname, sent.searchParams.get('state')]).toEqual([CALLBACK_URL, 's&t']);
    const code = sent.searchParams.get('code') ?? '';
    const { status, json } = await requestToken(simulator, { grant_type: 'authorization_code', code });
    expect([status, json.expires_in, json.token_type]).toEqual([200, 1_199, 'Bearer']);
    const { payload, protectedHeader } = await verifyToken(simulator, json.access_token, clock.now());
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
      exp: clock.now() / 1_000 + 1_200,
      iat: clock.now() / 1_000,
      iss: simulator.ssoUrl,
    });
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('a login can be denied or reduced, and never redirects to another address', async () => {
    const { simulator } = await startTestSimulator({
      sso: { clients: [{ ...DEFAULT_CLIENT, redirectUris: [CALLBACK_URL] }] },
    });
    const status = async (more: Record<string, string>) =>
      (await fetch(authorizeUrl(simulator, more), { redirect: 'manual' })).status;
    expect(await status({ client_id: 'nobody' })).toBe(400);
    expect(await status({ redirect_uri: 'http://localhost:8080/other' })).toBe(400);
    expect(await status({ response_type: 'token' })).toBe(400);
    expect(await status({ character: '5' })).toBe(400);
    expect((await authorize(simulator, {}, { deny: true })).get('error')).toBe('access_denied');
    expect((await authorize(simulator, { scope: 'everything' })).get('error')).toBe('invalid_scope');
    const code = (await authorize(simulator, {}, { grant: [ASSETS] })).get('code') ?? '';
    const { json } = await requestToken(simulator, { grant_type: 'authorization_code', code });
    expect(decodeJwt(json.access_token)['scp']).toBe(ASSETS); // one scope is a plain string
    const none = (await authorize(simulator, { scope: '' })).get('code') ?? '';
    const bare = await requestToken(simulator, { grant_type: 'authorization_code', code: none });
    expect([bare.json.refresh_token, decodeJwt(bare.json.access_token)['scp']]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('an authorization code is valid for one use within five minutes', async () => {
    const { simulator, clock } = await startTestSimulator();
    const first = await redeem(simulator);
    expect(first.status).toBe(200);
    const again = await requestToken(simulator, { grant_type: 'authorization_code', code: first.code });
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant']);
    expect((await refresh(simulator, first.json.refresh_token)).json.error).toBe('invalid_grant');
    const late = (await authorize(simulator)).get('code') ?? '';
    clock.advance(300_000);
    expect((await requestToken(simulator, { grant_type: 'authorization_code', code: late })).status).toBe(
      400,
    );
    expect((await redeem(simulator, { redirect_uri: `${CALLBACK_URL}2` })).status).toBe(400);
    expect((await redeem(simulator, { redirect_uri: CALLBACK_URL })).status).toBe(200);
  });

  test('PKCE is checked and replaces the secret of a public client', async () => {
    const clients = [DEFAULT_CLIENT, { id: 'public', redirectUris: ['loopback'] }];
    const { simulator } = await startTestSimulator({ sso: { clients } });
    const challenge = { client_id: 'public', code_challenge: CHALLENGE, code_challenge_method: 'S256' };
    const publicly = async (query: Record<string, string>, form: Record<string, string>) => {
      const code = (await authorize(simulator, { client_id: 'public', ...query })).get('code') ?? '';
      return requestToken(
        simulator,
        { grant_type: 'authorization_code', code, client_id: 'public', ...form },
        '',
      );
    };
    expect((await publicly(challenge, { code_verifier: VERIFIER })).status).toBe(200);
    expect((await publicly(challenge, { code_verifier: 'wrong' })).status).toBe(400);
    expect((await publicly({}, {})).status).toBe(400);
    expect((await authorize(simulator, { ...challenge, code_challenge_method: 'plain' })).get('error')).toBe(
      'invalid_request',
    );
  });
});
