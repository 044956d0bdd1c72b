import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Faults } from '../../simulator/index.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/esi.ts';

let esi: TestEsi;
beforeEach(async () => {
  esi = await testEsi({ client: { timeouts: { headers: 60, body: 60 }, maxBody: 300_000 } });
});
afterEach(async () => {
  jest.restoreAllMocks();
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
  silence: [(f, times) => f.hang({ times }), 'ESI_UNREACHABLE'],
  'a redirection': [(f, times) => f.status(302, { times }), 'ESI_UNEXPECTED'],
};

test.each(Object.entries(TRANSIENT))('%s is tried again', async (_, [spoil]) => {
  spoil(esi.sim.faults, 2);
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200, requests: 3 });
  expect(esi.clock.slept).toHaveLength(2);
  expect(esi.clock.slept[1]).toBeGreaterThan(esi.clock.slept[0]! / 2);
  expect(esi.sim.offences()).toEqual([]);
});

test.each(Object.entries(TRANSIENT))('%s three times over is handed back', async (_, [spoil, code]) => {
  spoil(esi.sim.faults, 9);
  const error = await errorOf(esi.client.get(FORGE_ORDERS));
  expect(error).toMatchObject({ verdict: 'retry', code, requests: 3 });
  expect(error.message).toContain('/markets/10000002/orders');
  expect(esi.sim.requests()).toHaveLength(3);
});

test.each([400, 401, 403, 404, 422])('a %d is never repeated', async (status) => {
  esi.sim.faults.status(status);
  expect(await errorOf(esi.client.get(FORGE_ORDERS))).toMatchObject({ verdict: 'fail', status, requests: 1 });
  expect(esi.statuses()).toEqual([status]);
  expect(esi.sim.offences()).toEqual([]);
});

test('ten failures in a row open the breaker, and half a minute later one good answer closes it', async () => {
  const now = jest.spyOn(Date, 'now');
  const real = Date.now();
  now.mockReturnValue(real);
  esi.sim.faults.down('503');
  for (let i = 0; i < 3; i++)
    expect(await errorOf(esi.client.get(PRICES))).toMatchObject({ verdict: 'retry' });
  const opening = await errorOf(esi.client.get(PRICES));
  expect(opening).toMatchObject({
    verdict: 'wait',
    code: 'ESI_BREAKER_OPEN',
    retryAfter: 30_000,
    requests: 1,
  });
  expect(esi.sim.requests()).toHaveLength(10);
  expect(await errorOf(esi.client.get(FORGE_ORDERS))).toMatchObject({ verdict: 'wait', requests: 0 });
  expect(esi.sim.requests()).toHaveLength(10);

  now.mockReturnValue(real + 30_001);
  expect((await errorOf(esi.client.get(PRICES))).message).toContain('503'); // one try, and it opens again
  expect(esi.sim.requests()).toHaveLength(11);

  esi.sim.faults.clear();
  now.mockReturnValue(real + 60_003);
  expect(await esi.client.get(PRICES)).toMatchObject({ status: 200 });
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  expect(esi.sim.offences()).toEqual([]);
});

test('a caller who gives up does not count as trouble of ESI', async () => {
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
