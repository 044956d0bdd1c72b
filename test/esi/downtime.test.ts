import { afterEach, expect, test } from '@jest/globals';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';

let esi: TestEsi;
afterEach(() => esi.close());

const start = async (at: string, ...rest: Parameters<typeof testEsi>) =>
  (esi = await testEsi({ start: `2026-11-20T${at}Z`, ...rest[0] }));
const routes = () => esi.sim.requests().map((request) => request.route);

test('no request is sent before the restart, and the error says when to retry', async () => {
  const { client, clock, sim } = await start('10:57:59');
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
  clock.advance(1_000);
  expect(await errorOf(client.get(FORGE_ORDERS))).toMatchObject({ verdict: 'wait', retryAfter: 240_000 });
  clock.advance(239_000);
  expect(await errorOf(client.get(FORGE_ORDERS))).toMatchObject({ verdict: 'wait', retryAfter: 1_000 });
  expect(routes()).toEqual(['/markets/prices']);
  expect(sim.offences()).toEqual([]);
});

test('after the restart /status is requested once in 30 s until everybody may log in', async () => {
  const { client, clock, sim } = await start('11:02:30');
  sim.faults.vip();
  const both = [errorOf(client.get(FORGE_ORDERS)), errorOf(client.get(PRICES))];
  for (const error of await Promise.all(both))
    expect(error).toMatchObject({ verdict: 'wait', retryAfter: 30_000 });
  expect(routes()).toEqual(['/status']);
  clock.advance(31_000);
  sim.faults.down('503');
  await errorOf(client.get(FORGE_ORDERS));
  clock.advance(31_000);
  sim.faults.clear();
  await errorOf(client.get(FORGE_ORDERS)); // the simulated server started yesterday: the restart is still to come
  clock.advance(120_000);
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
  expect(routes()).toEqual([...Array(4).fill('/status'), FORGE_ORDERS.route, PRICES.route]);
  expect(sim.offences()).toEqual([]);
});

test('a 420 blocks the probe of /status as well', async () => {
  const { client, clock, sim } = await start('10:57:50');
  sim.faults.status(420, { retryAfter: 60, times: 1 });
  await errorOf(client.get(PRICES));
  clock.advance(5 * 60_000); // 11:02:50
  sim.faults.status(420, { retryAfter: 60, times: 1 });
  await errorOf(client.get(PRICES)); // the probe gets the 420, which blocks all requests
  clock.advance(31_000);
  expect(await errorOf(client.get(PRICES))).toMatchObject({ verdict: 'wait' });
  expect(routes()).toEqual(['/markets/prices', '/status']);
  expect(sim.offences()).toEqual([]);
});

test('the downtime is over at 11:15 whatever /status says', async () => {
  const { client, sim } = await start('11:15:00');
  sim.faults.vip();
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
  expect(routes()).toEqual(['/markets/prices']);
});
