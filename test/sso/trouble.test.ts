import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AGENT,
  CLIENT_ID,
  JWKS,
  LOGIN,
  NEW_TOKEN,
  REFRESH_TOKEN,
  REVOKE,
  SECRET,
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

const servers: TestSso[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(...args: Parameters<typeof startTestSso>): Promise<TestSso> {
  const server = await startTestSso(...args);
  servers.push(server);
  server.responses[JWKS] = { body: { keys: [rsa.jwk] } };
  return server;
}

const grant = () => grantOf(rsa);

describe('SSO requests', () => {
  test('token requests carry Basic authentication, a form, the user agent, and nothing else', async () => {
    const { sso, responses, received } = await open();
    responses[TOKEN] = { body: await grant() };
    await refresh(sso, REFRESH_TOKEN);
    const { headers, form } = received.at(-1)!;
    expect(headers).toMatchObject({
      authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'user-agent': AGENT,
    });
    expect(form).toEqual({ grant_type: 'refresh_token', refresh_token: REFRESH_TOKEN });
    for (const each of received) expect(each.headers['user-agent']).toBe(AGENT);
  });

  test('reserved characters of a secret are encoded', async () => {
    const { sso, responses, received } = await open({ clientSecret: 'a:b c%' });
    responses[TOKEN] = { body: await grant() };
    await refresh(sso, REFRESH_TOKEN);
    const coded = received.at(-1)!.headers.authorization!.slice('Basic '.length);
    expect(Buffer.from(coded, 'base64').toString()).toBe(`${CLIENT_ID}:a%3Ab%20c%25`);
  });

  test('token requests of a public client carry its id in the form', async () => {
    const { sso, responses, received } = await open({ clientSecret: undefined });
    responses[TOKEN] = { body: await grant() };
    await sso.finishLogin(LOGIN);
    expect(received.at(-1)!.headers.authorization).toBeUndefined();
    expect(received.at(-1)!.form).toEqual({
      grant_type: 'authorization_code',
      client_id: CLIENT_ID,
      code: LOGIN.code,
      code_verifier: LOGIN.verifier,
      redirect_uri: 'http://localhost:8080/callback',
    });
  });

  test('a revocation names the type of token, and a dead login is no error', async () => {
    const { sso, responses, received } = await open();
    responses[REVOKE] = {};
    await sso.revoke(REFRESH_TOKEN);
    expect(received.at(-1)!.form).toEqual({ token: REFRESH_TOKEN, token_type_hint: 'refresh_token' });
    responses[REVOKE] = { status: 400, body: { error: 'invalid_grant' } };
    await sso.revoke(REFRESH_TOKEN);
    responses[REVOKE] = { status: 401, body: { error: 'invalid_client' } };
    expect((await failureOf(sso.revoke(REFRESH_TOKEN))).code).toBe('SSO_BAD_CLIENT');
  });
});

describe('SSO rejections', () => {
  const refusals: [what: string, status: number, body: unknown, code: string][] = [
    [
      'a dead refresh token',
      400,
      { error: 'invalid_grant', error_description: 'Unable to migrate.' },
      'LOGIN_DEAD',
    ],
    ['the older code of a dead token', 400, { error: 'invalid_token' }, 'LOGIN_DEAD'],
    [
      'the description of a dead token',
      400,
      { error: 'oops', error_description: 'The refresh token is expired.' },
      'LOGIN_DEAD',
    ],
    ['a wrong client', 401, { error: 'invalid_client' }, 'SSO_BAD_CLIENT'],
    ['a wrong client without JSON', 401, 'Unauthorized', 'SSO_BAD_CLIENT'],
    ['a removed scope', 400, { error: 'invalid_scope' }, 'SSO_BAD_SCOPE'],
  ];
  test.each(refusals)('a rejection for %s is final', async (_, status, body, code) => {
    const { sso, responses } = await open();
    responses[TOKEN] = { status, body, headers: { 'www-authenticate': 'Basic realm="SSO"' } };
    expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({ code, verdict: 'fail' });
  });

  test('the message of a rejected code is about the login, that of a refresh token about the character', async () => {
    const { sso, responses } = await open();
    responses[TOKEN] = { status: 400, body: { error: 'invalid_grant' } };
    expect((await failureOf(sso.finishLogin(LOGIN))).message).toContain('five minutes');
    expect((await failureOf(refresh(sso, REFRESH_TOKEN))).message).toContain('Log the character in again');
  });

  test('a 4xx without an OAuth error is worth a retry', async () => {
    const { sso, responses } = await open();
    for (const [status, body] of [
      [400, '<html>Bad Request</html>'],
      [400, { error: 'invalid_request' }],
      [400, { error: 7 }],
      [403, 'Attention Required! | Cloudflare'],
      [404, ''],
    ] as const) {
      responses[TOKEN] = { status, body };
      expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({
        code: 'SSO_TROUBLE',
        verdict: 'retry',
      });
    }
  });
});

describe('SSO answers', () => {
  test('an answer with 5xx, 3xx, a web page, half a token or another type is worth a retry', async () => {
    const { sso, responses, received, url } = await open();
    const full = await grant();
    const answers = [
      { status: 500, body: { error: 'invalid_grant' } },
      { status: 502, body: '<html>' },
      { status: 503 },
      { status: 302, headers: { location: `${url}/elsewhere` } },
      { status: 204 },
      { body: '<html>Welcome</html>' },
      { body: '' },
      { body: [] },
      { body: { ...full, access_token: undefined } },
      { body: { ...full, access_token: 7 } },
      { body: { ...full, token_type: 'mac' } },
    ];
    for (const answer of answers) {
      responses[TOKEN] = answer;
      expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({
        code: 'SSO_TROUBLE',
        verdict: 'retry',
      });
    }
    expect(received.some(({ path }) => path === '/elsewhere')).toBe(false);
  });

  test('a 429 says how long to wait', async () => {
    const { sso, responses, clock } = await open();
    const waits = { '120': 120_000, '0': 1_000, '99999': 3_600_000, soon: 60_000 } as Record<string, number>;
    waits[new Date(clock.now() + 30_000).toUTCString()] = 30_000;
    for (const [text, retryAfter] of Object.entries(waits)) {
      responses[TOKEN] = { status: 429, headers: { 'retry-after': text } };
      const error = await failureOf(refresh(sso, REFRESH_TOKEN));
      expect(error).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'wait', retryAfter });
    }
  });

  test('an answer larger than 64 KB is not read', async () => {
    const { sso, responses } = await open();
    responses[TOKEN] = { body: { ...(await grant()), padding: 'x'.repeat(70_000) } };
    expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({
      code: 'SSO_TROUBLE',
      verdict: 'retry',
    });
    let gone: Promise<unknown> | undefined;
    responses[TOKEN] = (response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', pour);
      };
      gone = once(response, 'close');
      pour();
    };
    expect((await failureOf(refresh(sso, REFRESH_TOKEN))).message).toContain('larger than 64 KB');
    await gone; // the connection is closed, too
  });

  test('an answer that does not come, or stops half-way, is given up after the timeout', async () => {
    const { sso, responses } = await open({ timeouts: { answer: 150 } });
    responses[TOKEN] = () => undefined;
    const error = await failureOf(refresh(sso, REFRESH_TOKEN));
    expect(error).toMatchObject({ code: 'SSO_UNREACHABLE', verdict: 'retry' });
    expect(error.message).toContain('no answer within 0.15 s');
    responses[TOKEN] = (response) => void response.write(`{"refresh_token":"${NEW_TOKEN}",`);
    expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({ code: 'SSO_UNREACHABLE' });
    responses[TOKEN] = (response) => response.destroy();
    expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject({ code: 'SSO_UNREACHABLE' });
  });

  test('a sent refresh is awaited in spite of a cancellation, and none is sent after it', async () => {
    const { sso, responses, count } = await open();
    const giveUp = new AbortController();
    const reason = new Error('the activity was cancelled');
    const body = JSON.stringify(await grant());
    responses[TOKEN] = (response) => {
      giveUp.abort(reason);
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    };
    const stored: string[] = [];
    const store = (token: string) => void stored.push(token);
    expect(await refresh(sso, REFRESH_TOKEN, giveUp.signal, store)).toMatchObject({
      refreshToken: NEW_TOKEN,
    });
    expect(stored).toEqual([NEW_TOKEN]);
    await expect(refresh(sso, NEW_TOKEN, giveUp.signal, store)).rejects.toBe(reason);
    expect(count(TOKEN)).toBe(1);
  });

  test('a refresh may come without a refresh token, a login may not', async () => {
    const { sso, responses } = await open();
    responses[TOKEN] = { body: { ...(await grant()), refresh_token: undefined } };
    expect((await refresh(sso, REFRESH_TOKEN)).refreshToken).toBe(REFRESH_TOKEN);
    expect(await failureOf(sso.finishLogin(LOGIN))).toMatchObject({ code: 'SSO_TROUBLE' });
  });
});

test('an SSO that does not listen is unreachable', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  const { sso } = await open({ baseUrl });
  const error = await failureOf(refresh(sso, REFRESH_TOKEN));
  expect(error).toMatchObject({ code: 'SSO_UNREACHABLE', verdict: 'retry' });
  expect(error.message).toContain(baseUrl);
});
