import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/lib/clock.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';

let esi: TestEsi;
afterEach(() => esi.close());

const start = async (...args: Parameters<typeof testEsi>) => (esi = await testEsi(...args));
const total = (ms: readonly number[]) => ms.reduce((sum, n) => sum + n, 0);

test('a short Retry-After is waited out with heartbeats', async () => {
  const { client, clock, sim } = await start();
  sim.faults.status(429, { retryAfter: 15, times: 1 });
  let heartbeats = 0;
  const answer = await client.get({ ...FORGE_ORDERS, heartbeat: () => heartbeats++ });
  expect(answer).toMatchObject({ status: 200, requests: 2 });
  expect(total(clock.slept)).toBe(15_000);
  expect(Math.max(...clock.slept)).toBeLessThanOrEqual(4_000);
  expect(heartbeats).toBe(2 + clock.slept.length);
  expect(sim.offences()).toEqual([]);
});

test('a long Retry-After is returned to the caller and blocks the group meanwhile', async () => {
  const { client, clock, sim } = await start();
  sim.faults.status(429, { retryAfter: 300, times: 1 });
  const error = await errorOf(client.get(FORGE_ORDERS));
  expect(error).toMatchObject({ verdict: 'wait', retryAfter: 300_000, requests: 1 });
  clock.advance(120_000);
  expect(await errorOf(client.get(FORGE_ORDERS))).toMatchObject({ retryAfter: 180_000, requests: 0 });
  expect(await client.get(PRICES)).toMatchObject({ status: 200 }); // another group
  clock.advance(180_000);
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  expect(esi.statuses()).toEqual([429, 200, 200]);
  expect(sim.offences()).toEqual([]);
});

test.each([['none'], ['soon'], [-5]])('a 429 whose Retry-After is %s blocks for a minute', async (text) => {
  const { client, sim } = await start();
  sim.faults.status(429, { headers: false, times: 1, ...(text === 'none' ? {} : { retryAfter: text }) });
  expect(await errorOf(client.get(PRICES))).toMatchObject({ verdict: 'wait', retryAfter: 60_000 });
  expect(esi.statuses()).toEqual([429]);
});

test('a Retry-After of more than an hour blocks for an hour', async () => {
  const { client, clock, sim } = await start();
  sim.faults.status(429, { retryAfter: 999_999_999, times: 1 });
  expect(await errorOf(client.get(PRICES))).toMatchObject({ retryAfter: 3_600_000 });
  sim.faults.clear();
  clock.advance(3_600_000);
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
});

test('a repeated 429 with a Retry-After of 0 is retried after a second, three times at most', async () => {
  const { client, clock, sim } = await start();
  sim.faults.status(429, { retryAfter: 0 });
  expect(await errorOf(client.get(PRICES))).toMatchObject({ verdict: 'wait', status: 429, requests: 3 });
  expect(esi.statuses()).toEqual([429, 429, 429]);
  expect(clock.slept).toEqual([1_000, 1_000]);
});

test('a 420 blocks every route until the minute is over', async () => {
  const { client, clock, sim } = await start();
  // Someone else at this address fails a hundred times.
  for (let i = 0; i < 100; i++)
    await fetch(`${sim.url}/universe/types/999999999?x=${i}`, { headers: { 'user-agent': 'a@b.c' } });
  sim.resetCounters();
  const error = await errorOf(client.get(FORGE_ORDERS));
  expect(error).toMatchObject({ verdict: 'wait', requests: 1, retryAfter: 60_000 });
  for (const request of [PRICES, FORGE_ORDERS, { route: '/status' } as const])
    expect(await errorOf(client.get(request))).toMatchObject({ verdict: 'wait', requests: 0 });
  expect(esi.statuses()).toEqual([420]);
  clock.advance(60_000);
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  expect(sim.offences()).toEqual([]);
});

test('routes of the error limit are blocked when few errors are left, others are not', async () => {
  const { client, clock, sim } = await start();
  const type = (id: number) => ({ route: '/universe/types/{type_id}', params: { type_id: id } }) as const;
  let refused = 0;
  while ((await errorOf(client.get(type(900_000_000 + refused)))).verdict === 'fail') refused++;
  expect(refused).toBe(75); // a quarter of the hundred stays in reserve
  expect(await errorOf(client.get(PRICES))).toMatchObject({ verdict: 'wait', status: undefined });
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  clock.advance(60_000);
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
  expect(sim.offences()).toEqual([]);
});

test('no request is sent while paused', async () => {
  let why: string | undefined = 'lunch';
  const { client, sim } = await start({ client: { paused: () => Promise.resolve(why) } });
  const error = await errorOf(client.get(PRICES));
  expect(error).toMatchObject({ verdict: 'wait', requests: 0 });
  expect(error.message).toContain('lunch');
  expect(sim.requests()).toEqual([]);
  why = undefined;
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
});

test('a pause that begins during a retry stops the next attempt', async () => {
  let why: string | undefined;
  const { client, sim } = await start({ client: { paused: () => Promise.resolve(why) } });
  sim.faults.status(503);
  const asked = errorOf(
    client.get({
      ...PRICES,
      heartbeat: () => {
        why = 'enough';
      },
    }),
  );
  expect(await asked).toMatchObject({ verdict: 'wait', requests: 1 });
  expect(sim.requests()).toHaveLength(1);
});

test('an aborted retry ends at once', async () => {
  // The first wait takes at least a minute, and so more than the test may.
  const { client, sim } = await start({
    client: { clock: systemClock, backoff: 60_000 },
    clock: systemClock,
  });
  sim.faults.status(503);
  const stop = new AbortController();
  const asked = client.get({
    ...PRICES,
    signal: stop.signal,
    heartbeat: () => setImmediate(() => stop.abort()),
  });
  await expect(asked).rejects.toThrow(/abort/i);
});
