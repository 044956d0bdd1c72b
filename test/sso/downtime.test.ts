import { afterEach, describe, expect, test } from '@jest/globals';
import { failureOf, JWKS, REFRESH_TOKEN, type TestSso, signer, startTestSso, TOKEN } from './test-sso.ts';
import { refresh } from './support.ts';

const servers: TestSso[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(...args: Parameters<typeof startTestSso>): Promise<TestSso> {
  const server = await startTestSso(...args);
  servers.push(server);
  server.responses[JWKS] = { body: { keys: [(await signer('ES256', 'a key')).jwk] } };
  return server;
}

describe('SSO rejections around the daily downtime', () => {
  const at = (time: string) => Date.parse(`2026-11-20T${time}Z`);
  const during = async (time: string, options: Parameters<typeof startTestSso>[0] = { downtime: true }) => {
    const server = await open(options);
    server.clock.advance(at(time) - server.clock.now());
    server.responses[TOKEN] = { status: 400, body: { error: 'invalid_grant' } };
    return server;
  };

  test('a rejected refresh is retried at 11:30 UTC when it was rejected around the downtime', async () => {
    for (const [time, minutes] of [
      ['10:55:00', 35],
      ['11:05:00', 25],
      ['11:29:00', 1],
    ] as const) {
      const { sso, responses } = await during(time);
      const expected = { code: 'SSO_TROUBLE', verdict: 'wait', retryAfter: minutes * 60_000 };
      expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject(expected);
      for (const body of ['<html>', { error: 'invalid_scope' }]) {
        responses[TOKEN] = { status: 400, body };
        expect(await failureOf(refresh(sso, REFRESH_TOKEN))).toMatchObject(expected);
      }
      responses[TOKEN] = { status: 401, body: { error: 'invalid_client' } };
      expect((await failureOf(refresh(sso, REFRESH_TOKEN))).code).toBe('SSO_BAD_CLIENT');
    }
  });

  test('a rejected refresh is final outside the downtime, and from an SSO on this machine', async () => {
    for (const time of ['10:54:59', '11:30:00'])
      expect((await failureOf(refresh((await during(time)).sso, REFRESH_TOKEN))).code).toBe('LOGIN_DEAD');
    const { sso } = await during('11:05:00', {});
    expect((await failureOf(refresh(sso, REFRESH_TOKEN))).code).toBe('LOGIN_DEAD');
  });
});
