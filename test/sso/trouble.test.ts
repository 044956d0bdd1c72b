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

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
});

async function open(...args: Parameters<typeof startStage>): Promise<Stage> {
  const stage = await startStage(...args);
  stages.push(stage);
  stage.lines[JWKS] = { body: { keys: [rsa.jwk] } };
  return stage;
}

const grant = () => grantOf(rsa);

describe('requests', () => {
  test('carry id and secret as Basic, a form, who asks, and nothing that is not needed', async () => {
    const { sso, lines, asked } = await open();
    lines[TOKEN] = { body: await grant() };
    await sso.refresh(REFRESH_TOKEN);
    const { headers, form } = asked.at(-1)!;
    expect(headers).toMatchObject({
      authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'user-agent': AGENT,
    });
    expect(form).toEqual({ grant_type: 'refresh_token', refresh_token: REFRESH_TOKEN });
    for (const each of asked) expect(each.headers['user-agent']).toBe(AGENT);
  });

  test('encode what would not get through Basic otherwise', async () => {
    const { sso, lines, asked } = await open({ clientSecret: 'a:b c%' });
    lines[TOKEN] = { body: await grant() };
    await sso.refresh(REFRESH_TOKEN);
    const coded = asked.at(-1)!.headers.authorization!.slice('Basic '.length);
    expect(Buffer.from(coded, 'base64').toString()).toBe(`${CLIENT_ID}:a%3Ab%20c%25`);
  });

  test('of a client without a secret carry its id in the form', async () => {
    const { sso, lines, asked } = await open({ clientSecret: undefined });
    lines[TOKEN] = { body: await grant() };
    await sso.finishLogin(LOGIN);
    expect(asked.at(-1)!.headers.authorization).toBeUndefined();
    expect(asked.at(-1)!.form).toEqual({
      grant_type: 'authorization_code',
      client_id: CLIENT_ID,
      code: LOGIN.code,
      code_verifier: LOGIN.verifier,
      redirect_uri: 'http://localhost:8080/callback',
    });
  });

  test('to end a login say which kind of token it is, and a dead login is no error', async () => {
    const { sso, lines, asked } = await open();
    lines[REVOKE] = {};
    await sso.revoke(REFRESH_TOKEN);
    expect(asked.at(-1)!.form).toEqual({ token: REFRESH_TOKEN, token_type_hint: 'refresh_token' });
    lines[REVOKE] = { status: 400, body: { error: 'invalid_grant' } };
    await sso.revoke(REFRESH_TOKEN);
    lines[REVOKE] = { status: 401, body: { error: 'invalid_client' } };
    expect((await failureOf(sso.revoke(REFRESH_TOKEN))).code).toBe('SSO_BAD_CLIENT');
  });
});

describe('a refusal', () => {
  const refusals: [what: string, status: number, body: unknown, code: string][] = [
    [
      'a dead refresh token',
      400,
      { error: 'invalid_grant', error_description: 'Unable to migrate.' },
      'LOGIN_DEAD',
    ],
    ['its older name', 400, { error: 'invalid_token' }, 'LOGIN_DEAD'],
    ['its words', 400, { error: 'oops', error_description: 'The refresh token is expired.' }, 'LOGIN_DEAD'],
    ['a wrong client', 401, { error: 'invalid_client' }, 'SSO_BAD_CLIENT'],
    ['a wrong client in words of no JSON', 401, 'Unauthorized', 'SSO_BAD_CLIENT'],
    ['a removed scope', 400, { error: 'invalid_scope' }, 'SSO_BAD_SCOPE'],
  ];
  test.each(refusals)('of %s is final', async (_, status, body, code) => {
    const { sso, lines } = await open();
    lines[TOKEN] = { status, body, headers: { 'www-authenticate': 'Basic realm="SSO"' } };
    expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({ code, verdict: 'fail' });
  });

  test('of a code speaks of the login, that of a refresh token of the character', async () => {
    const { sso, lines } = await open();
    lines[TOKEN] = { status: 400, body: { error: 'invalid_grant' } };
    expect((await failureOf(sso.finishLogin(LOGIN))).message).toContain('five minutes');
    expect((await failureOf(sso.refresh(REFRESH_TOKEN))).message).toContain('Log the character in again');
  });

  test('that is no refusal of OAuth is trouble', async () => {
    const { sso, lines } = await open();
    for (const [status, body] of [
      [400, '<html>Bad Request</html>'],
      [400, { error: 'invalid_request' }],
      [400, { error: 7 }],
      [403, 'Attention Required! | Cloudflare'],
      [404, ''],
    ] as const) {
      lines[TOKEN] = { status, body };
      expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({
        code: 'SSO_TROUBLE',
        verdict: 'retry',
      });
    }
  });
});

describe('an answer', () => {
  test('of 5xx, 3xx, a web page, half a token or an odd kind is trouble worth another try', async () => {
    const { sso, lines, asked, url } = await open();
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
      { body: { ...full, refresh_token: '' } },
    ];
    for (const answer of answers) {
      lines[TOKEN] = answer;
      expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({
        code: 'SSO_TROUBLE',
        verdict: 'retry',
      });
    }
    expect(asked.some(({ path }) => path === '/elsewhere')).toBe(false);
  });

  test('of 429 says how long to wait', async () => {
    const { sso, lines, clock } = await open();
    const waits = { '120': 120_000, '0': 1_000, '99999': 3_600_000, soon: 60_000 } as Record<string, number>;
    waits[new Date(clock.now() + 30_000).toUTCString()] = 30_000;
    for (const [text, retryAfter] of Object.entries(waits)) {
      lines[TOKEN] = { status: 429, headers: { 'retry-after': text } };
      const error = await failureOf(sso.refresh(REFRESH_TOKEN));
      expect(error).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'wait', retryAfter });
    }
  });

  test('larger than 64 KB is not read', async () => {
    const { sso, lines } = await open();
    lines[TOKEN] = { body: { ...(await grant()), padding: 'x'.repeat(70_000) } };
    expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({
      code: 'SSO_TROUBLE',
      verdict: 'retry',
    });
    let gone: Promise<unknown> | undefined;
    lines[TOKEN] = (response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', pour);
      };
      gone = once(response, 'close');
      pour();
    };
    expect((await failureOf(sso.refresh(REFRESH_TOKEN))).message).toContain('larger than 64 KB');
    await gone; // the connection is closed, too
  });

  test('that does not come, or stops on its way, is given up', async () => {
    const { sso, lines } = await open({ timeouts: { answer: 150 } });
    lines[TOKEN] = () => undefined;
    const error = await failureOf(sso.refresh(REFRESH_TOKEN));
    expect(error).toMatchObject({ code: 'SSO_UNREACHABLE', verdict: 'retry' });
    expect(error.message).toContain('no answer within 0.15 s');
    lines[TOKEN] = (response) => void response.write(`{"refresh_token":"${NEW_TOKEN}",`);
    expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({ code: 'SSO_UNREACHABLE' });
    lines[TOKEN] = (response) => response.destroy();
    expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject({ code: 'SSO_UNREACHABLE' });
  });

  test('is waited for once it was asked for, as the old refresh token may be void; after a cancellation none is asked for', async () => {
    const { sso, lines, count } = await open();
    const giveUp = new AbortController();
    const reason = new Error('the activity was cancelled');
    const body = JSON.stringify(await grant());
    lines[TOKEN] = (response) => {
      giveUp.abort(reason);
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    };
    const kept: string[] = [];
    const keep = async (token: string) => void kept.push(token);
    expect(await sso.refresh(REFRESH_TOKEN, giveUp.signal, keep)).toMatchObject({ refreshToken: NEW_TOKEN });
    expect(kept).toEqual([NEW_TOKEN]);
    await expect(sso.refresh(NEW_TOKEN, giveUp.signal, keep)).rejects.toBe(reason);
    expect(count(TOKEN)).toBe(1);
  });

  test('without a new refresh token leaves the old one in force; a login needs one', async () => {
    const { sso, lines } = await open();
    lines[TOKEN] = { body: { ...(await grant()), refresh_token: undefined } };
    expect((await sso.refresh(REFRESH_TOKEN)).refreshToken).toBe(REFRESH_TOKEN);
    expect(await failureOf(sso.finishLogin(LOGIN))).toMatchObject({ code: 'SSO_TROUBLE' });
  });
});

test('a server that is not there cannot be reached', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  const { sso } = await open({ baseUrl });
  const error = await failureOf(sso.refresh(REFRESH_TOKEN));
  expect(error).toMatchObject({ code: 'SSO_UNREACHABLE', verdict: 'retry' });
  expect(error.message).toContain(baseUrl);
});
