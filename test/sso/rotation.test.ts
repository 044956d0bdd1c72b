import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  JWKS,
  NEW_TOKEN,
  REFRESH_TOKEN,
  type Signer,
  type Stage,
  TOKEN,
  failureOf,
  grantOf,
  signer,
  startStage,
} from './stage.ts';

let rsa: Signer;
beforeAll(async () => {
  rsa = await signer('RS256', 'JWT-Signature-Key');
});

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
  stage.lines[JWKS] = { body: { keys: [rsa.jwk] } };
});
afterEach(() => stage.close());

describe('an answer', () => {
  test('with a new refresh token is kept before it is checked, and nothing is asked for that cannot be checked', async () => {
    const { sso, lines, count } = stage;
    lines[JWKS] = { status: 503 };
    lines[TOKEN] = { body: await grantOf(rsa, { aud: ['another'] }) };
    const kept: string[] = [];
    const keep = async (token: string) => void kept.push(token);
    expect(await failureOf(sso.refresh(REFRESH_TOKEN, undefined, keep))).toMatchObject({
      code: 'SSO_TROUBLE',
    });
    expect([count(TOKEN), kept]).toEqual([0, []]);
    lines[JWKS] = { body: { keys: [rsa.jwk] } };
    expect(await failureOf(sso.refresh(REFRESH_TOKEN, undefined, keep))).toMatchObject({ code: 'BAD_TOKEN' });
    expect(kept).toEqual([NEW_TOKEN]);
  });

  const odd: [what: string, changes: Record<string, unknown>][] = [
    ['no access token', { access_token: undefined }],
    ['no kind', { token_type: undefined }],
    ['another kind', { token_type: 'mac' }],
    ['its end in words', { expires_in: 'soon' }],
    ['a list of scopes', { scope: ['a'] }],
    ['an id token', { id_token: 'x' }],
  ];
  test.each(odd)(
    'with a new refresh token and %s keeps the token before it is judged',
    async (_, changes) => {
      const { sso, lines } = stage;
      lines[TOKEN] = { body: { ...(await grantOf(rsa)), ...changes } };
      const kept: string[] = [];
      const refresh = sso.refresh(REFRESH_TOKEN, undefined, async (token) => void kept.push(token));
      expect(await failureOf(refresh)).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
      expect(kept).toEqual([NEW_TOKEN]);
    },
  );

  test.each([REFRESH_TOKEN, '', 'null', 'not one word, but several', 7, null, ['x'.repeat(24)]])(
    'with %j for a refresh token has none to keep',
    async (token) => {
      const { sso, lines } = stage;
      lines[TOKEN] = { body: { ...(await grantOf(rsa)), access_token: undefined, refresh_token: token } };
      const keep = () => Promise.reject(new Error('there is nothing to keep'));
      expect(await failureOf(sso.refresh(REFRESH_TOKEN, undefined, keep))).toMatchObject({
        code: 'SSO_TROUBLE',
      });
    },
  );
});
