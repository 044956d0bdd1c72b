import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EsiClient } from '../../src/esi/esi-client.ts';
import type { EsiRequest } from '../../src/esi/esi-request.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Faults } from '../../simulator/index.ts';
import { testRateLimiter } from '../support/test-rate-limiter.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';

const STATUS = { route: '/status' } as const satisfies EsiRequest; // 600 tokens in fifteen minutes
const QUARTER = 15 * 60_000;
const HOUR = 3_600_000;

let esi: TestEsi;
let others: EsiClient[];
beforeEach(async () => {
  esi = await testEsi();
  others = [];
});
afterEach(async () => {
  await Promise.all(others.map((client) => client.close()));
  await esi.close();
});

/** A second installation on the same address, with a rate limit store of its own. */
function another(): EsiClient {
  const { clock, sim } = esi;
  const rateLimiter = testRateLimiter(clock);
  const client = new EsiClient({
    baseUrl: sim.url,
    userAgent: TEST_USER_AGENT,
    rateLimiter,
    clock,
    log: silentLog,
  });
  others.push(client);
  return client;
}

/** Asks until a wait is handed back; returns how many answers came. */
async function drain(client = esi.client, request: EsiRequest = STATUS): Promise<number> {
  for (let answers = 0; ; answers++) {
    try {
      await client.get(request);
    } catch (error) {
      if (error instanceof EsiError && error.verdict === 'wait') return answers;
      throw error;
    }
  }
}

const line = (name: string) => esi.sim.limitUsage().find((found) => found.name === name);
/** What callers were told and did not keep to; asking the same again and again is what these tests do. */
const ignored = () => esi.sim.offences().filter(({ kind }) => kind !== 'too-early');

test.each([
  [429, true],
  [429, false],
  [420, true],
  [420, false],
])('a %d (headers: %s) blocks for as long as it says, or for a minute', async (code, headers) => {
  await esi.client.get(FORGE_ORDERS);
  esi.sim.faults.status(code, { times: 1, headers });
  const error = await errorOf(esi.client.get(PRICES));
  expect(error).toMatchObject({ verdict: 'wait', retryAfter: 60_000 });
  const elsewhere = esi.client.get(STATUS);
  if (code === 420) expect(await errorOf(elsewhere)).toMatchObject({ verdict: 'wait', requests: 0 });
  else expect(await elsewhere).toMatchObject({ status: 200 });
  esi.clock.advance(59_000);
  const before = esi.sim.requests().length;
  expect((await esi.client.get(PRICES)).status).toBe(200); // the last second was sat out
  expect(esi.clock.slept.length).toBeGreaterThan(0);
  expect(esi.sim.requests()).toHaveLength(before + 1);
  expect(esi.sim.offences()).toEqual([]);
});

const HEADERS: Record<string, (faults: Faults) => void> = {
  'right limit headers': () => undefined,
  'no limit headers': (f) => f.limitHeaders('missing'),
  'limit headers that are not numbers': (f) => f.limitHeaders('wrong'),
  'limit headers below zero': (f) => f.limitHeaders('negative'),
  'limit headers that are huge': (f) => f.limitHeaders('huge'),
  'a clock ten minutes ahead': (f) => f.clockSkew(600_000),
  'a clock ten minutes behind': (f) => f.clockSkew(-600_000),
};

test.each(Object.entries(HEADERS))('a bucket is used fully and never exceeded with %s', async (_, spoil) => {
  spoil(esi.sim.faults);
  expect(await drain()).toBe(298); // 596 of 600: the next may cost five
  esi.clock.advance(QUARTER + 5_000); // a slot
  expect(await drain()).toBe(298);
  expect(line('status')).toMatchObject({ most: 596, refused: 0 });
  expect(ignored()).toEqual([]);
});

test('a smaller bucket is adopted with the next answer', async () => {
  for (let n = 0; n < 10; n++) await esi.client.get(STATUS);
  esi.sim.world.setBucket('status', { tokens: 40 });
  await drain();
  expect(line('status')).toMatchObject({ refused: 0, allowed: 40 });
  expect(line('status')!.most).toBeLessThanOrEqual(40);
  expect(line('status')!.most).toBeGreaterThan(40 - 5);
  esi.clock.advance(QUARTER + 5_000);
  esi.sim.world.setBucket('status', { tokens: 600 });
  expect(await drain()).toBe(298); // and it is lifted as it was adopted
  expect(ignored()).toEqual([]);
});

test('tokens that another program on the IP address spends are left to it', async () => {
  await esi.client.get(STATUS);
  esi.sim.world.spendElsewhere('status', 560);
  await drain();
  const { most, refused } = line('status')!;
  expect(refused).toBe(0);
  expect(most).toBeLessThanOrEqual(40);
  expect(most).toBeGreaterThan(40 - 7);
  const error = await errorOf(esi.client.get(STATUS));
  expect(error.retryAfter).toBeGreaterThan(20_000);
  esi.clock.advance(QUARTER + 5_000);
  expect(await drain()).toBe(298);
});

test('errors of another program on the IP address block the routes of the error limit', async () => {
  esi.sim.world.spendElsewhere('errors', 80);
  await esi.client.get(PRICES);
  expect(await errorOf(esi.client.get(PRICES))).toMatchObject({ verdict: 'wait', requests: 0 });
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  esi.clock.advance(60_000);
  expect(await esi.client.get(PRICES)).toMatchObject({ status: 200 });
});

test('two installations on one IP address share a bucket by its headers', async () => {
  const clients = [esi.client, another()];
  const open = new Set(clients);
  let sent = 0;
  while (open.size > 0) {
    for (const client of open) {
      const result = await client.get(STATUS).catch((error: unknown) => error);
      if (result instanceof EsiError) open.delete(client);
      else sent++;
    }
  }
  expect(sent).toBeGreaterThan(290);
  expect(line('status')!.most).toBeLessThanOrEqual(600);
  expect(line('status')!.refused).toBe(0);
  expect(ignored()).toEqual([]);
});

test('two installations are blocked when together they reach the hidden limit', async () => {
  const clients = [esi.client, another()];
  const ask = (client: EsiClient, typeId: number) =>
    client.get({
      route: '/markets/{region_id}/history',
      params: { region_id: 10000002 },
      query: { type_id: String(typeId) },
    });
  const until = esi.clock.now() + 10 * 60_000;
  for (let n = 0; esi.clock.now() < until; n++) {
    const results = await Promise.allSettled(clients.map((client) => ask(client, 34 + (n % 7))));
    if (results.every(({ status }) => status === 'rejected')) esi.clock.advance(30_000);
  }
  const { requests, refused } = line('hidden /markets/{region_id}/history')!;
  expect(requests).toBeGreaterThan(1_000);
  expect(refused).toBeLessThanOrEqual(2 * 10); // each learns the limit from a refusal now and then
  expect(line('errors')!.most).toBeLessThanOrEqual(75);
});

const OUTAGES: Record<string, (faults: Faults) => void> = {
  'a storm of 5xx': (f) => f.status(502),
  'an hour without a server': (f) => f.down('503'),
  'connections that are reset': (f) => f.down('reset'),
  'answers that break off': (f) => f.resetMidway(),
};

test.each(Object.entries(OUTAGES))(
  '%s for an hour: ESI is left alone, and all goes on afterwards',
  async (_, spoil) => {
    spoil(esi.sim.faults);
    const end = esi.clock.now() + HOUR;
    while (esi.clock.now() < end) {
      for (const request of [PRICES, FORGE_ORDERS]) {
        const error = await errorOf(esi.client.get(request));
        expect(['retry', 'wait']).toContain(error.verdict);
        esi.clock.advance(error.retryAfter ?? 1_000);
      }
    }
    expect(line('errors')?.most ?? 0).toBeLessThanOrEqual(75);
    expect(line('all')!.most).toBeLessThanOrEqual(20);
    expect(line('market-order')?.refused ?? 0).toBe(0);
    esi.sim.faults.clear();
    esi.clock.advance(QUARTER);
    expect(await esi.client.get(PRICES)).toMatchObject({ status: 200 });
    expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
    expect(ignored()).toEqual([]);
  },
);
