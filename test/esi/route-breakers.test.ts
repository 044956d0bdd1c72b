import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { EsiRequest } from '../../src/esi/esi-request.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';

const STATUS = { route: '/status' } as const satisfies EsiRequest;
const INDUSTRY = { route: '/industry/systems' } as const satisfies EsiRequest;
const FACILITIES = { route: '/industry/facilities' } as const satisfies EsiRequest;
const history = (typeId: number) =>
  ({
    route: '/markets/{region_id}/history',
    params: { region_id: 10000002 },
    query: { type_id: String(typeId) },
  }) as const satisfies EsiRequest;
const type = (id: number) =>
  ({ route: '/universe/types/{type_id}', params: { type_id: id } }) as const satisfies EsiRequest;

let esi: TestEsi;
let lines: string[];
beforeEach(async () => {
  lines = [];
  const log: Log = {
    ...silentLog,
    info: (_: object, message: string) => void lines.push(`info ${message}`),
    warn: (_: object, message: string) => void lines.push(`warn ${message}`),
  };
  esi = await testEsi({ client: { log } });
});
afterEach(() => esi.close());

/** Sends requests until the breaker stops one. */
async function open(request: EsiRequest): Promise<void> {
  for (let n = 0; n < 10; n++)
    if ((await errorOf(esi.client.get(request))).code === 'ESI_BREAKER_OPEN') return;
  throw new Error(`the breaker of ${request.route} stayed closed`);
}

test.each(['500', 'reset'] as const)(
  'order books are read while market history answers with %s for minutes, and the log says so once',
  async (how) => {
    const { client, sim, clock } = esi;
    const route = '/markets/{region_id}/history';
    if (how === '500') sim.faults.status(500, { route });
    else sim.faults.reset({ route });
    let open = 0;
    for (let n = 0; n < 80; n++) {
      const error = await errorOf(client.get(history(34 + (n % 7))));
      if (error.code === 'ESI_BREAKER_OPEN') open++;
      expect(
        await client.get({ ...FORGE_ORDERS, query: { ...FORGE_ORDERS.query, page: '1' } }),
      ).toMatchObject({
        status: 200,
      });
      clock.advance(5_000);
    }
    expect(open).toBeGreaterThan(20);
    expect(lines).toEqual([`warn ESI fails for ${route}; its requests are stopped`]);
    sim.faults.clear();
    clock.advance(60_000);
    expect(await client.get(history(34))).toMatchObject({ status: 200 });
    expect(lines.slice(1)).toEqual([`info ESI responds for ${route} again`]);
  },
);

test('twelve ids that answer 500 are twelve bad ids and stop nothing', async () => {
  esi.sim.faults.status(500, { route: '/universe/types/{type_id}' });
  for (let id = 1; id <= 12; id++)
    expect(await errorOf(esi.client.get(type(id)))).toMatchObject({ verdict: 'retry', requests: 3 });
  esi.sim.faults.clear();
  const { json } = await esi.client.get({ route: '/universe/types' });
  expect(await esi.client.get(type((json as number[])[0]!))).toMatchObject({ status: 200, requests: 1 });
  expect(lines).toEqual([]);
});

test('all requests are stopped while /status fails, and go on after half a minute', async () => {
  const { client, sim, clock } = esi;
  sim.faults.down('503');
  await open(STATUS);
  expect(await errorOf(client.get(FORGE_ORDERS))).toMatchObject({
    code: 'ESI_BREAKER_OPEN',
    requests: 0,
  });
  expect(lines).toEqual(['warn ESI fails for /status; all requests to ESI are stopped']);
  sim.faults.clear();
  clock.advance(30_000);
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
});

test('all requests are stopped while three routes fail, and not while two do', async () => {
  const { client, sim, clock } = esi;
  for (const { route } of [PRICES, INDUSTRY, FACILITIES]) sim.faults.down('reset', { route });
  await open(PRICES);
  await open(INDUSTRY);
  expect(await client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  await open(FACILITIES);
  expect(await errorOf(client.get(STATUS))).toMatchObject({ code: 'ESI_BREAKER_OPEN', requests: 0 });
  expect(lines.at(-1)).toBe('warn ESI fails for /industry/facilities; all requests to ESI are stopped');
  clock.advance(30_000);
  expect(await errorOf(client.get(PRICES))).toMatchObject({ code: 'ESI_BREAKER_OPEN', requests: 1 }); // a test
  expect(await client.get(STATUS)).toMatchObject({ status: 200 });
});
