import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/lib/log.ts';
import { readCallback } from '../../src/sso/callback.ts';
import { createSsoClient } from '../../src/sso/sso-client.ts';
import { issuersOf } from '../../src/sso/sso-metadata.ts';
import { testClock } from '../support/clock.ts';
import {
  AGENT,
  CLIENT_ID,
  documentOf,
  failureOf,
  METADATA,
  REFRESH_TOKEN,
  REVOKE,
  type Stage,
  startStage,
  TOKEN,
} from './stage.ts';
import { errorOf } from './support.ts';

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
});

async function open(): Promise<Stage> {
  const stage = await startStage();
  stages.push(stage);
  return stage;
}

describe('the document', () => {
  test('is kept for five minutes and fetched by one at a time', async () => {
    const { sso, clock, count } = await open();
    await Promise.all([sso.metadata(), sso.metadata(), sso.startLogin(['a.v1'])]);
    clock.advance(299_000);
    await sso.metadata();
    expect(count(METADATA)).toBe(1);
    clock.advance(1_000);
    expect((await sso.metadata()).issuer).toBe('login.eveonline.com');
    expect(count(METADATA)).toBe(2);
  });

  test('that leads to another host, or to http from https, is not followed', async () => {
    const { sso, lines, url, asked } = await open();
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
      lines[METADATA] = { body: { ...good, ...part } };
      const error = await failureOf(sso.refresh(REFRESH_TOKEN));
      expect(error).toMatchObject({ code: 'SSO_UNTRUSTED', verdict: 'fail' });
    }
    expect(new Set(asked.map(({ path }) => path))).toEqual(new Set([METADATA]));
  });

  test('that is none is trouble', async () => {
    const { sso, lines, url } = await open();
    const { token_endpoint: _, ...half } = documentOf(url);
    for (const body of ['<html>', '', [], half, { ...half, token_endpoint: 'here' }]) {
      lines[METADATA] = { body };
      expect(await failureOf(sso.metadata())).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
    }
    lines[METADATA] = { status: 404 };
    expect(await failureOf(sso.metadata())).toMatchObject({ code: 'SSO_TROUBLE', verdict: 'retry' });
  });
});

test('a login server on another machine has to be asked over https', async () => {
  const options = { clientId: CLIENT_ID, callbackUrl: 'http://x', userAgent: AGENT, log: silentLog };
  const create = (baseUrl: string) => createSsoClient({ ...options, baseUrl, clock: testClock() });
  expect(await errorOf(() => create('http://login.eveonline.com'))).toMatchObject({ code: 'SSO_UNTRUSTED' });
  await create('https://login.eveonline.com').close();
});

test('tokens are issued under the name of the document, and those of EVE by EVE alone', () => {
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

describe('the address that EVE sends a person back with', () => {
  const read = (query: string) => {
    const { state, code, error } = readCallback(new URLSearchParams(query));
    return [state, code, error?.code];
  };
  test('brings state and code, or what went wrong with which login', () => {
    expect(read('code=c&state=s')).toEqual(['s', 'c', undefined]);
    expect(read('error=access_denied&state=s')).toEqual(['s', undefined, 'LOGIN_DENIED']);
    expect(read('error=invalid_scope&state=s&code=c')).toEqual(['s', undefined, 'SSO_BAD_SCOPE']);
    expect(read('error=unauthorized_client&state=s')).toEqual(['s', undefined, 'SSO_BAD_CLIENT']);
    expect(read('error=server_error')).toEqual([undefined, undefined, 'LOGIN_FAILED']);
  });

  test('is refused when a part is missing or doubled', () => {
    for (const query of [
      '',
      'code=c',
      'state=s',
      'code=&state=s',
      'code=c&code=d&state=s',
      'code=c&state=s&state=t',
    ])
      expect(read(query).slice(1)).toEqual([undefined, 'BAD_CALLBACK']);
  });
});
