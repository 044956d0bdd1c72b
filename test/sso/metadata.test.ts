import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/lib/log.ts';
import { createSsoClient } from '../../src/sso/sso-client.ts';
import { issuersOf } from '../../src/sso/sso-metadata.ts';
import { testClock } from '../support/test-clock.ts';
import {
  AGENT,
  CLIENT_ID,
  documentOf,
  failureOf,
  METADATA,
  REFRESH_TOKEN,
  REVOKE,
  type TestSso,
  startTestSso,
  TOKEN,
} from './test-sso.ts';
import { errorOf, refresh } from './support.ts';

const servers: TestSso[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(): Promise<TestSso> {
  const server = await startTestSso();
  servers.push(server);
  return server;
}

describe('SSO metadata', () => {
  test('metadata is cached for five minutes and loaded once', async () => {
    const { sso, clock, count } = await open();
    await Promise.all([sso.metadata(), sso.metadata(), sso.startLogin(['a.v1'])]);
    clock.advance(299_000);
    await sso.metadata();
    expect(count(METADATA)).toBe(1);
    clock.advance(1_000);
    expect((await sso.metadata()).issuer).toBe('login.eveonline.com');
    expect(count(METADATA)).toBe(2);
  });

  test('metadata that refers to another host or an unsafe address is not trusted', async () => {
    const { sso, responses, url, received } = await open();
    const good = documentOf(url);
    const port = Number(new URL(url).port);
    const evil = [
      { token_endpoint: 'https://login.evil.example/v2/oauth/token' },
      { jwks_uri: `http://127.0.0.1:${port + 1}/oauth/jwks` },
      { revocation_endpoint: `http://localhost:${port}${REVOKE}` },
      { authorization_endpoint: 'javascript:alert(1)' },
      { authorization_endpoint: `ftp://127.0.0.1:${port}/` },
      { token_endpoint: `http://login:pass@127.0.0.1:${port}${TOKEN}` },
    ];
    for (const part of evil) {
      responses[METADATA] = { body: { ...good, ...part } };
      const error = await failureOf(refresh(sso, REFRESH_TOKEN));
      expect(error).toMatchObject({ code: 'SSO_UNTRUSTED', verdict: 'fail' });
    }
    expect(new Set(received.map(({ path }) => path))).toEqual(new Set([METADATA]));
  });

  test('invalid metadata is worth a retry', async () => {
    const { sso, responses, url } = await open();
    const { token_endpoint: _, ...half } = documentOf(url);
    for (const body of ['<html>', '', [], half, { ...half, token_endpoint: 'here' }]) {
      responses[METADATA] = { body };
      expect(await failureOf(sso.metadata())).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
    }
    responses[METADATA] = { status: 404 };
    expect(await failureOf(sso.metadata())).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
  });
});

test('http is accepted for an SSO on this machine only', async () => {
  const options = { clientId: CLIENT_ID, callbackUrl: 'http://x', userAgent: AGENT, log: silentLog };
  const create = (baseUrl: string) => createSsoClient({ ...options, baseUrl, clock: testClock() });
  expect(await errorOf(() => create('http://login.eveonline.com'))).toMatchObject({ code: 'SSO_UNTRUSTED' });
  await create('https://login.eveonline.com').close();
});

test('accepted issuers are the one in the metadata, and EVE’s names for EVE’s own SSO', () => {
  const document = { ...documentOf('https://login.eveonline.com'), issuer: 'login.eveonline.com' } as never;
  expect(new Set(issuersOf(document, 'https://login.eveonline.com'))).toEqual(
    new Set([
      'login.eveonline.com',
      'login.eveonline.com/',
      'https://login.eveonline.com',
      'https://login.eveonline.com/',
    ]),
  );
  const other = { ...documentOf('https://sso.example'), issuer: 'https://sso.example/' } as never;
  expect(issuersOf(other, 'https://sso.example')).toEqual(['https://sso.example', 'https://sso.example/']);
});
