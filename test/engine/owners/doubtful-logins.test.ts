import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ANNA, characterTarget, logIn } from '../../support/owner-engine.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';

/** Rejections of a login that say nothing about it. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await logIn(engine, ANNA);
});
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const isActive = async () =>
  (await engine.db.rows<{ is_active: boolean }>('SELECT is_active FROM esi_tokens'))[0]!.is_active;

test('a 403 because ESI cannot check logins with the SSO is retried, and is no denial', async () => {
  const body = { error: 'unexpected end of JSON input', sso_status: 401 };
  engine.sim.faults.status(403, { route: '/industry/jobs', times: 3, body });
  await expect(engine.collect('industry', ME)).rejects.toMatchObject({ verdict: 'retry' });
  expect(await engine.db.rows('SELECT FROM esi_refusals')).toEqual([]);
  expect(await engine.collect('industry', ME)).toMatchObject({ outcome: 'published' });
});

test.each([
  ['ESI', '/markets/prices', 'market-prices', ''],
  ['the SSO', '/sso/v2/oauth/token', 'wallet', ME],
])('a login that is rejected while %s fails stays enabled', async (_, route, collector, target) => {
  engine.clock.advance(20 * 60_000);
  engine.sim.faults.status(503, { route, times: 3 });
  await expect(engine.collect(collector, target)).rejects.toMatchObject({ verdict: 'retry' });
  engine.sim.faults.clear();
  engine.sim.faults.status(400, { route: '/sso/v2/oauth/token', body: { error: 'invalid_grant' } });
  for (let n = 0; n < 3; n++) {
    expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'blocked' });
    engine.clock.advance(16 * 60_000);
  }
  expect(await isActive()).toBe(true);
  engine.sim.faults.clear();
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'published' });
});

test('a login that is rejected once goes on', async () => {
  engine.clock.advance(20 * 60_000);
  engine.sim.faults.status(400, {
    route: '/sso/v2/oauth/token',
    times: 1,
    body: { error: 'invalid_grant' },
  });
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'blocked' });
  engine.clock.advance(16 * 60_000);
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT FROM esi_tokens WHERE rejected_at IS NOT NULL')).toEqual([]);
});
