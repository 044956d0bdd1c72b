import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EsiClient } from '../../src/esi/esi-client.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Faults } from '../../simulator/index.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';
import { testRateLimiter } from '../support/test-rate-limiter.ts';

let esi: TestEsi;
beforeEach(async () => {
  esi = await testEsi({ client: { maxBody: 300_000 } });
});
afterEach(async () => {
  await esi.close();
});

const TRANSIENT: Record<string, [(faults: Faults, times: number) => void, string]> = {
  'a 502': [(f, times) => f.status(502, { times }), 'ESI_SERVER_ERROR'],
  'a 520 of the game server': [(f, times) => f.status(520, { times, headers: false }), 'ESI_SERVER_ERROR'],
  'a web page': [(f, times) => f.html({ times }), 'ESI_BAD_BODY'],
  'plain text': [(f, times) => f.plainText({ times }), 'ESI_BAD_BODY'],
  'broken JSON': [(f, times) => f.badJson({ times }), 'ESI_BAD_BODY'],
  'an empty body': [(f, times) => f.rawBody('', { times }), 'ESI_BAD_BODY'],
  'half an answer': [(f, times) => f.truncate({ times }), 'ESI_UNREACHABLE'],
  'a dropped connection': [(f, times) => f.reset({ times }), 'ESI_UNREACHABLE'],
  'a flood': [(f, times) => f.oversize(2_000_000, { times }), 'ESI_BAD_BODY'],
  'a redirection': [(f, times) => f.status(302, { times }), 'ESI_UNEXPECTED'],
};

test.each(Object.entries(TRANSIENT))('%s is retried', async (_, [spoil]) => {
  spoil(esi.sim.faults, 2);
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200, requests: 3 });
  expect(esi.clock.slept).toHaveLength(2);
  expect(esi.clock.slept[1]).toBeGreaterThan(esi.clock.slept[0]! / 2);
  expect(esi.sim.offences()).toEqual([]);
});

test.each(Object.entries(TRANSIENT))('%s three times is returned to the caller', async (_, [spoil, code]) => {
  spoil(esi.sim.faults, 9);
  const error = await errorOf(esi.client.get(FORGE_ORDERS));
  expect(error).toMatchObject({ verdict: 'retry', code, requests: 3 });
  expect(error.message).toContain('/markets/10000002/orders');
  expect(esi.sim.requests()).toHaveLength(3);
});

describe('ESI timeouts', () => {
  let impatient: EsiClient;
  /** Replaces the client's timeouts, which are 15 s. */
  function withTimeout(headers: number): EsiClient {
    const { clock, sim } = esi;
    const rateLimiter = testRateLimiter(clock);
    const timeouts = { headers };
    impatient = new EsiClient({
      baseUrl: sim.url,
      userAgent: TEST_USER_AGENT,
      rateLimiter,
      clock,
      timeouts,
      log: silentLog,
    });
    return impatient;
  }
  afterEach(() => impatient.close());

  test('a request without an answer is retried after its timeout', async () => {
    esi.sim.faults.hang({ times: 1 });
    // The second try has two seconds to be answered in.
    expect(await withTimeout(2_000).get(FORGE_ORDERS)).toMatchObject({ status: 200, requests: 2 });
    expect(esi.sim.offences()).toEqual([]);
  });

  test('a request without an answer is given up after three attempts', async () => {
    esi.sim.faults.hang();
    const error = await errorOf(withTimeout(10).get(FORGE_ORDERS));
    expect(error).toMatchObject({ verdict: 'retry', code: 'ESI_UNREACHABLE', requests: 3 });
    expect(esi.sim.requests()).toHaveLength(3);
  });
});

test.each([400, 401, 403, 404, 422])('a %d is not retried', async (status) => {
  esi.sim.faults.status(status);
  expect(await errorOf(esi.client.get(FORGE_ORDERS))).toMatchObject({ verdict: 'fail', status, requests: 1 });
  expect(esi.statuses()).toEqual([status]);
  expect(esi.sim.offences()).toEqual([]);
});

test('ten failures in a row open the breaker, and a good answer half a minute later closes it', async () => {
  esi.sim.faults.down('503');
  for (let i = 0; i < 3; i++)
    expect(await errorOf(esi.client.get(PRICES))).toMatchObject({ verdict: 'retry' });
  const opening = await errorOf(esi.client.get(PRICES));
  expect(opening).toMatchObject({
    verdict: 'wait',
    code: 'ESI_BREAKER_OPEN',
    requests: 1,
  });
  expect(opening.retryAfter).toBeLessThanOrEqual(30_000);
  expect(opening.retryAfter).toBeGreaterThan(27_000); // less the wait before the last attempt
  expect(esi.sim.requests()).toHaveLength(10);
  expect(await errorOf(esi.client.get(PRICES))).toMatchObject({ verdict: 'wait', requests: 0 });
  expect(esi.sim.requests()).toHaveLength(10);

  esi.clock.advance(30_001);
  expect((await errorOf(esi.client.get(PRICES))).message).toContain('503'); // one try, and it opens again
  expect(esi.sim.requests()).toHaveLength(11);

  esi.sim.faults.clear();
  esi.clock.advance(30_002);
  expect(await esi.client.get(PRICES)).toMatchObject({ status: 200 });
  expect(esi.sim.offences()).toEqual([]);
});

test('an aborted request does not count as a failure of ESI', async () => {
  esi.sim.faults.hang();
  for (let i = 0; i < 12; i++) {
    const stop = new AbortController();
    const asked = esi.client.get({ ...FORGE_ORDERS, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  }
  esi.sim.faults.clear();
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200, requests: 1 });
  expect(esi.client.health().status).toBe('ok');
});
