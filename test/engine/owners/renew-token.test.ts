import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { esiAuth } from '../../../src/engine/owners/access-token.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { ANNA, logIn } from '../../support/owner-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await logIn(engine, ANNA);
});
afterEach(() => engine.close());

const refreshes = () => engine.sim.sso.requests().refresh_token;

describe('a token that ESI has refused', () => {
  test('a refused token is not used for other requests of the step, which wait for the new one', async () => {
    const auth = esiAuth(engine.context, ANNA, {});
    const refused = await auth.token();
    const renewing = auth.renew();
    const tokens = await Promise.all([auth.token(), auth.token(), renewing.then(() => auth.token())]);
    expect(tokens).not.toContain(refused);
    expect(new Set(tokens).size).toBe(1);
    expect(refreshes()).toBe(1);
  });

  test('a refused token is not used again when the login is revoked', async () => {
    const auth = esiAuth(engine.context, ANNA, {});
    await auth.token();
    engine.sim.sso.revoke(ANNA);
    const others = [auth.renew(), auth.token()];
    for (const end of await Promise.allSettled(others))
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'LOGIN_DOUBTFUL' } });
    await expect(auth.token()).rejects.toMatchObject({ code: 'LOGIN_DOUBTFUL' });
    expect(refreshes()).toBe(1);
  });

  test('a refused token is not used again when the SSO was unavailable', async () => {
    const auth = esiAuth(engine.context, ANNA, {});
    const refused = await auth.token();
    engine.sim.faults.status(502, { route: '/sso/v2/oauth/token', times: 1 });
    await expect(auth.renew()).rejects.toMatchObject({ verdict: 'retry' });
    expect(await auth.token()).not.toBe(refused);
  });
});
