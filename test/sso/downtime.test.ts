import { afterEach, describe, expect, test } from '@jest/globals';
import { failureOf, JWKS, REFRESH_TOKEN, type Stage, signer, startStage, TOKEN } from './stage.ts';

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
});

async function open(...args: Parameters<typeof startStage>): Promise<Stage> {
  const stage = await startStage(...args);
  stages.push(stage);
  stage.lines[JWKS] = { body: { keys: [(await signer('ES256', 'a key')).jwk] } };
  return stage;
}

describe('around the daily downtime', () => {
  const at = (time: string) => Date.parse(`2026-11-20T${time}Z`);
  const during = async (time: string, options: Parameters<typeof startStage>[0] = { downtime: true }) => {
    const stage = await open(options);
    stage.clock.advance(at(time) - stage.clock.now());
    stage.lines[TOKEN] = { status: 400, body: { error: 'invalid_grant' } };
    return stage;
  };

  test('a refusal is not believed until half past eleven', async () => {
    for (const [time, minutes] of [
      ['10:55:00', 35],
      ['11:05:00', 25],
      ['11:29:00', 1],
    ] as const) {
      const { sso, lines } = await during(time);
      const expected = { code: 'SSO_TROUBLE', verdict: 'wait', retryAfter: minutes * 60_000 };
      expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject(expected);
      for (const body of ['<html>', { error: 'invalid_scope' }]) {
        lines[TOKEN] = { status: 400, body };
        expect(await failureOf(sso.refresh(REFRESH_TOKEN))).toMatchObject(expected);
      }
      lines[TOKEN] = { status: 401, body: { error: 'invalid_client' } };
      expect((await failureOf(sso.refresh(REFRESH_TOKEN))).code).toBe('SSO_BAD_CLIENT');
    }
  });

  test('it is believed before and after, and from a server on this machine, which has none', async () => {
    for (const time of ['10:54:59', '11:30:00'])
      expect((await failureOf((await during(time)).sso.refresh(REFRESH_TOKEN))).code).toBe('LOGIN_DEAD');
    const { sso } = await during('11:05:00', {});
    expect((await failureOf(sso.refresh(REFRESH_TOKEN))).code).toBe('LOGIN_DEAD');
  });
});
