import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  JWKS,
  NEW_TOKEN,
  REFRESH_TOKEN,
  type Signer,
  type TestSso,
  TOKEN,
  failureOf,
  grantOf,
  signer,
  startTestSso,
} from './test-sso.ts';
import { refresh } from './support.ts';

let rsa: Signer;
beforeAll(async () => {
  rsa = await signer('RS256', 'JWT-Signature-Key');
});

let server: TestSso;
beforeEach(async () => {
  server = await startTestSso();
  server.responses[JWKS] = { body: { keys: [rsa.jwk] } };
});
afterEach(() => server.close());

describe('rotated refresh tokens', () => {
  test('a rotated token is returned before the answer is verified, and no token is requested without keys', async () => {
    const { sso, responses, count } = server;
    responses[JWKS] = { status: 503 };
    responses[TOKEN] = { body: await grantOf(rsa, { aud: ['another'] }) };
    const stored: string[] = [];
    const store = (token: string) => void stored.push(token);
    expect(await failureOf(refresh(sso, REFRESH_TOKEN, undefined, store))).toMatchObject({
      code: 'SSO_TROUBLE',
    });
    expect([count(TOKEN), stored]).toEqual([0, []]);
    responses[JWKS] = { body: { keys: [rsa.jwk] } };
    expect(await failureOf(refresh(sso, REFRESH_TOKEN, undefined, store))).toMatchObject({
      code: 'BAD_TOKEN',
    });
    expect(stored).toEqual([NEW_TOKEN]);
  });

  const odd: [what: string, changes: Record<string, unknown>][] = [
    ['no access token', { access_token: undefined }],
    ['no token type', { token_type: undefined }],
    ['another token type', { token_type: 'mac' }],
    ['a text as its lifetime', { expires_in: 'soon' }],
    ['a list of scopes', { scope: ['a'] }],
    ['an id token', { id_token: 'x' }],
  ];
  test.each(odd)('a rotated token is returned from an answer with %s', async (_, changes) => {
    const { sso, responses } = server;
    responses[TOKEN] = { body: { ...(await grantOf(rsa)), ...changes } };
    const stored: string[] = [];
    const answer = refresh(sso, REFRESH_TOKEN, undefined, (token) => stored.push(token));
    expect(await failureOf(answer)).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
    expect(stored).toEqual([NEW_TOKEN]);
  });

  test.each([REFRESH_TOKEN, '', 'null', 'not one word, but several', 7, null, ['x'.repeat(24)]])(
    '%j is not a rotated refresh token',
    async (token) => {
      const { sso, responses } = server;
      responses[TOKEN] = { body: { ...(await grantOf(rsa)), access_token: undefined, refresh_token: token } };
      const answer = await sso.refresh(REFRESH_TOKEN);
      expect(answer.rotatedToken).toBeUndefined();
      expect(await failureOf(answer.verify())).toMatchObject({ code: 'SSO_TROUBLE' });
    },
  );
});

test.each([null, undefined, '', 'null'])(
  'an answer whose refresh token is %j keeps the old refresh token',
  async (token) => {
    const { sso, responses } = server;
    responses[TOKEN] = { body: { ...(await grantOf(rsa)), refresh_token: token } };
    const answer = await sso.refresh(REFRESH_TOKEN);
    expect(answer.rotatedToken).toBeUndefined();
    expect(await answer.verify()).toMatchObject({ refreshToken: REFRESH_TOKEN });
  },
);
