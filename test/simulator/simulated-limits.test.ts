import { afterEach, describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createAllowances } from '../../simulator/allowances.ts';
import { createLimitUsageMeter } from '../../simulator/limit-usage.ts';
import { readCall } from '../../simulator/esi-call.ts';
import type { LimitUsage, Simulator } from '../../simulator/index.ts';
import {
  closeSimulators,
  FORGE,
  get,
  HEADERS,
  offenceKinds,
  ORDERS,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const HISTORY = `/markets/${FORGE}/history`;
const DESCRIPTION = '/meta/openapi.json?compatibility_date=2026-08-18';

interface Description {
  paths: Record<string, { get: Record<string, unknown> }>;
}

async function describeRoutes(simulator: Simulator): Promise<Description['paths']> {
  return ((await (await get(simulator, DESCRIPTION)).json()) as Description).paths;
}

function line(simulator: Simulator, name: string): LimitUsage | undefined {
  return simulator.limitUsage().find((entry) => entry.name === name);
}

describe('the hidden limit', () => {
  test('the hidden limit refuses without a header, in a floating window', async () => {
    const { simulator, clock } = await startTestSimulator({ hiddenLimit: 4 });
    const request = (typeId: number) => get(simulator, `${HISTORY}?type_id=${typeId}`);
    await request(34);
    clock.advance(40_000);
    for (const id of [35, 36, 37]) expect((await request(id)).status).toBe(200);
    const refused = await request(38);
    expect(refused.status).toBe(429);
    expect([...refused.headers.keys()].filter((name) => /limit|retry/.test(name))).toEqual([]);
    expect(offenceKinds(simulator)).toEqual(['hidden-limit']);
    simulator.faults.hiddenLimitAs(500);
    const asError = await request(38);
    expect([asError.status, await asError.text()]).toEqual([
      500,
      expect.stringContaining('4 requests per minute'),
    ]);
    simulator.faults.hiddenLimitAs(429);
    expect((await request(38)).status).toBe(429);
    expect((await get(simulator, '/markets/prices')).headers.get('x-esi-error-limit-remain')).toBe('97');
    clock.advance(61_000);
    expect((await request(38)).status).toBe(200);
    expect(line(simulator, 'hidden /markets/{region_id}/history')).toEqual({
      name: 'hidden /markets/{region_id}/history',
      allowed: 4,
      windowSeconds: 60,
      most: 7,
      spent: 8,
      requests: 8,
      refused: 3,
    });
  });

  test('the hidden limit is 300 a minute and is disabled with the other limits', async () => {
    const { simulator } = await startTestSimulator();
    const { simulator: lenient } = await startTestSimulator({ enforceLimits: false, hiddenLimit: 1 });
    for (let call = 0; call < 2; call++)
      expect((await get(lenient, `${HISTORY}?type_id=34`)).status).toBe(200);
    expect(offenceKinds(lenient)).not.toContain('hidden-limit');
    const statuses = [];
    for (let call = 0; call < 301; call++)
      statuses.push((await get(simulator, `${HISTORY}?type_id=34`)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(300);
    expect(statuses.at(-1)).toBe(429);
  });
});

describe('limits that change', () => {
  test('headers, refusals and the description follow a changed bucket', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { world } = simulator;
    const before = await describeRoutes(simulator);
    expect(before['/markets/{region_id}/orders']?.get).toMatchObject({
      'x-rate-limit': { group: 'market-order', 'max-tokens': 12_000, 'window-size': '15m' },
      'x-cache-age': 300,
    });
    expect(before['/markets/{region_id}/history']?.get).not.toHaveProperty('x-rate-limit');
    expect(before['/markets/{region_id}/history']?.get).not.toHaveProperty('x-cache-age');
    expect(before['/industry/systems']?.get).toMatchObject({ 'x-cache-age': 3_600 });

    for (let call = 0; call < 3; call++) await get(simulator, '/status');
    world.setBucket('status', { tokens: 5, windowSeconds: 3_600 });
    const refused = await get(simulator, '/status');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600']);
    expect(refused.headers.get('x-ratelimit-limit')).toBe('5/1h');
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    const after = await describeRoutes(simulator);
    expect(after['/status']?.get['x-rate-limit']).toEqual({
      group: 'status',
      'max-tokens': 5,
      'window-size': '1h',
    });
    clock.advance(3_600_000);
    expect((await get(simulator, '/status')).status).toBe(200);
    expect(() => world.setBucket('nothing', { tokens: 1 })).toThrow('nothing');
    expect(() => world.setBucket('status', { tokens: 0 })).toThrow('tokens');
  });

  test('Retry-After states when enough tokens have come back', async () => {
    const { simulator, clock } = await startTestSimulator();
    for (let call = 0; call < 3; call++) {
      await get(simulator, '/status');
      clock.advance(60_000);
    }
    simulator.world.setBucket('status', { tokens: 3 });
    expect((await get(simulator, '/status')).headers.get('retry-after')).toBe('780'); // two of the three tokens have to come back
  });

  test('what other programs on the same address spend counts against a caller', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { world } = simulator;
    await get(simulator, '/status');
    clock.advance(10_000);
    world.spendElsewhere('status', 590);
    expect((await get(simulator, '/status')).headers.get('x-ratelimit-remaining')).toBe('6');
    world.spendElsewhere('status', 10);
    expect((await get(simulator, '/status')).status).toBe(429);
    expect(line(simulator, 'status')).toMatchObject({ most: 4, spent: 4, requests: 3, refused: 1 });
    world.spendElsewhere('errors', 60);
    const prices = await get(simulator, '/markets/prices');
    expect(prices.headers.get('x-esi-error-limit-remain')).toBe('40');
    world.spendElsewhere('errors', 40);
    expect((await get(simulator, `${ORDERS}&page=1`)).status).toBe(420);
    clock.advance(60_000);
    expect((await get(simulator, `${ORDERS}&page=1`)).status).toBe(200);
  });
});

describe('faults of limits', () => {
  test.each(['missing', 'wrong', 'negative', 'huge'] as const)('limit headers can be %s', async (how) => {
    const { simulator } = await startTestSimulator();
    simulator.faults.limitHeaders(how);
    const { headers } = await get(simulator, '/status');
    const prices = await get(simulator, '/markets/prices');
    const remaining = headers.get('x-ratelimit-remaining');
    const errors = prices.headers.get('x-esi-error-limit-remain');
    const expected = {
      missing: [null, null],
      wrong: ['nonsense', 'nonsense'],
      negative: ['-598', '-100'],
      huge: ['9'.repeat(30), '9'.repeat(30)],
    }[how];
    expect([remaining, errors]).toEqual(expected);
    simulator.faults.clear();
    const healthy = await get(simulator, `${ORDERS}&page=1`);
    expect(healthy.headers.get('x-ratelimit-limit')).toBe('12000/15m');
  });

  test('resetMidway resets the connection after the headers', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.resetMidway({ times: 1 });
    const broken = await get(simulator, `${ORDERS}&page=1`);
    expect([broken.status, broken.headers.get('x-pages')]).toEqual([200, '3']);
    await expect(broken.text()).rejects.toThrow();
    expect((await get(simulator, `${ORDERS}&page=1`)).status).toBe(200);
    simulator.faults.resetMidway({ route: 'sde', times: 1 });
    const sde = await fetch(`${simulator.sdeUrl}/tranquility/latest.jsonl`, { headers: HEADERS });
    await expect(sde.text()).rejects.toThrow();
    await delay(10);
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

describe('the usage of limits', () => {
  test('limitUsage reports the fullest window of each limit', async () => {
    const { simulator, clock } = await startTestSimulator();
    for (const wait of [0, 50, 20, 20, 59, 1]) {
      clock.advance(wait * 1_000);
      await get(simulator, `/universe/types/${900_000 + clock.now()}`);
    }
    await get(simulator, '/industry/systems');
    const etag = (await get(simulator, '/industry/facilities')).headers.get('etag') ?? '';
    clock.advance(899_000);
    await get(simulator, '/industry/facilities', { 'if-none-match': etag });
    clock.advance(1_000);
    await get(simulator, '/industry/facilities', { 'if-none-match': etag });
    expect(line(simulator, 'errors')).toEqual({
      name: 'errors',
      allowed: 100,
      windowSeconds: 60,
      most: 3,
      spent: 6,
      requests: 6,
      refused: 0,
    });
    expect(line(simulator, 'industry')).toMatchObject({
      allowed: 150,
      windowSeconds: 900,
      most: 5,
      spent: 6,
    });
    expect(line(simulator, 'all')).toMatchObject({ allowed: null, most: 4, spent: 10, requests: 10 });
    simulator.resetCounters();
    expect(simulator.limitUsage()).toEqual([]);
  });

  test('limitUsage stays exact beyond the arrival times that it keeps', () => {
    const limitUsage = createLimitUsageMeter(
      createAllowances({ now: () => 0, sleep: () => Promise.resolve() }),
      300,
    );
    const call = readCall({ url: '/status', method: 'GET', headers: {}, socket: {} } as IncomingMessage, 0);
    call.group = 'status';
    for (let index = 0; index < 2_100_000; index++) {
      const at = index < 1_000 ? index : index * 1_000; // the worst window comes first and is overwritten
      limitUsage.recordRequest({ ...call, at })(200, false);
    }
    expect(limitUsage.report()).toMatchObject([
      { name: 'status', most: 2_000, spent: 4_200_000, requests: 2_100_000 },
      { name: 'all', most: 1_000 },
    ]);
  });

  test('limits are changed and read by HTTP', async () => {
    const { simulator } = await startTestSimulator();
    const post = (name: string, body: unknown) =>
      fetch(`${simulator.url}/__simulator/${name}`, { method: 'POST', body: JSON.stringify(body) });
    expect((await post('set-bucket', { group: 'status', tokens: 50 })).status).toBe(200);
    expect((await post('spend-elsewhere', { group: 'status', tokens: 8 })).status).toBe(200);
    expect((await post('set-bucket', { group: 'nothing', tokens: 50 })).status).toBe(400);
    expect((await post('take-industry-snapshot', {})).status).toBe(200);
    const patch = { volume: 3 };
    const correction = { region: FORGE, id: 34, date: '2026-08-01', patch };
    expect((await post('correct-history', correction)).status).toBe(200);
    const { headers } = await get(simulator, '/status');
    expect([headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-remaining')]).toEqual([
      '50/15m',
      '40',
    ]);
    const report = await fetch(`${simulator.url}/__simulator/limit-usage`);
    expect(await report.json()).toEqual(simulator.limitUsage());
  });
});
