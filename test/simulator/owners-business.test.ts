import { afterEach, describe, expect, test } from '@jest/globals';
import type { JobRow, OwnerOrderRow } from '../../simulator/index.ts';
import {
  ANNA,
  BRAM,
  closeSimulators,
  CORPORATION,
  get,
  offenceKinds,
  requestAs,
  post,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const ORDERS = `/characters/${ANNA}/orders`;
const HISTORY = `${ORDERS}/history`;
const JOBS = `/characters/${ANNA}/industry/jobs`;
const OPEN = 1_035_000_000_001;

describe('orders', () => {
  test('orders of characters and corporations have the fields of ESI', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const own = await request<OwnerOrderRow[]>(ORDERS);
    expect([own.json.length, own.headers.get('x-pages')]).toEqual([8, null]);
    for (const row of own.json) {
      expect([row.is_corporation, 'issued_by' in row, 'wallet_division' in row]).toEqual([
        false,
        false,
        false,
      ]);
      expect([typeof row.escrow, typeof row.min_volume]).toEqual(
        row.is_buy_order ? ['number', 'number'] : ['undefined', 'undefined'],
      );
      expect(row.volume_remain).toBeGreaterThan(0);
    }
    const corp = await request<OwnerOrderRow[]>(`/corporations/${CORPORATION}/orders`);
    expect([corp.json.length, corp.headers.get('x-pages')]).toEqual([12, '1']);
    for (const row of corp.json) {
      expect([ANNA, BRAM]).toContain(row.issued_by);
      expect(row.wallet_division).toBeGreaterThan(0);
      expect(row).not.toHaveProperty('is_corporation');
    }
    const done = await request<OwnerOrderRow[]>(`/corporations/${CORPORATION}/orders/history`);
    expect(done.headers.get('x-pages')).toBe('1');
    expect(done.json.every((row) => row.state === 'cancelled' || row.state === 'expired')).toBe(true);
  });

  test('orders are placed, filled in part and whole, cancelled and expired', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { owners } = simulator;
    const place = (order_id: number) =>
      owners.placeOrder(ANNA, {
        order_id,
        type_id: 34,
        is_buy_order: true,
        price: 2,
        volume_total: 10,
        volume_remain: 10,
      });
    const [part, full, cancelled, expired] = [1, 2, 3, 4].map(place);
    expect(owners.partFill(ANNA, 1, 4)).toMatchObject({ volume_remain: 6, escrow: 12 });
    owners.fillOrder(ANNA, 2);
    owners.cancelOrder(ANNA, 3);
    owners.expireOrder(ANNA, 4);
    const request = await requestAs(simulator, ANNA);
    const open = (await request<OwnerOrderRow[]>(ORDERS)).json;
    const history = (await request<OwnerOrderRow[]>(HISTORY)).json;
    expect(open).toContainEqual({ ...part, volume_remain: 6, escrow: 12 });
    expect([...open, ...history].some((row) => row.order_id === full?.order_id)).toBe(false);
    expect(history).toContainEqual({ ...cancelled, state: 'cancelled' });
    expect(history).toContainEqual({ ...expired, state: 'expired' });
    expect(owners.orders(ANNA)).toEqual(open);
    expect(() => owners.fillOrder(ANNA, 2)).toThrow('2');
    owners.placeOrder(ANNA);
    owners.takeSnapshots(ANNA, 'orders');
    expect((await request<OwnerOrderRow[]>(ORDERS)).json).toHaveLength(open.length + 1);
    clock.advance(91 * 86_400 * 1_000);
    const later = await requestAs(simulator, ANNA);
    expect((await later<OwnerOrderRow[]>(HISTORY)).json).toEqual([]);
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

describe('jobs', () => {
  test('open jobs are listed, completed ones on request', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const open = (await request<JobRow[]>(JOBS)).json;
    const all = (await request<JobRow[]>(`${JOBS}?include_completed=true`)).json;
    expect([open.length, all.length]).toEqual([6, 9]);
    expect(open.every((row) => row.status === 'active')).toBe(true);
    expect(all.filter((row) => row.status === 'delivered').every((row) => row.completed_date)).toBe(true);
    expect(open[0]).toHaveProperty('station_id');
    const corp = await request<JobRow[]>(`/corporations/${CORPORATION}/industry/jobs`);
    expect(corp.headers.get('x-pages')).toBe('1');
    expect(corp.json[0]).toHaveProperty('location_id');
    expect(corp.json[0]).not.toHaveProperty('station_id');
    expect(corp.json.some((row) => row.status === 'paused' && row.pause_date)).toBe(true);
  });

  test('jobs are started, become ready, are delivered and removed', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { owners } = simulator;
    const [quick, slow, removed] = [60, 900_000, 900_000].map((duration) =>
      owners.startJob(ANNA, { duration, runs: 3 }),
    ) as [JobRow, JobRow, JobRow];
    const statuses = async () => {
      owners.takeSnapshots(ANNA, 'jobs');
      const request = await requestAs(simulator, ANNA);
      const rows = (await request<JobRow[]>(`${JOBS}?include_completed=true`)).json;
      return [quick, slow, removed].map(({ job_id }) => rows.find((row) => row.job_id === job_id)?.status);
    };
    expect(await statuses()).toEqual(['active', 'active', 'active']);
    clock.advance(60_000);
    owners.finishJob(ANNA, slow.job_id);
    owners.forgetJob(ANNA, removed.job_id);
    expect(await statuses()).toEqual(['ready', 'ready', undefined]);
    expect(owners.deliverJob(ANNA, slow.job_id)).toMatchObject({
      successful_runs: 3,
      completed_character_id: ANNA,
    });
    owners.changeJob(ANNA, quick.job_id, { status: 'cancelled' });
    expect(await statuses()).toEqual(['cancelled', 'delivered', undefined]);
    expect(owners.jobs(ANNA).some((row) => row.job_id === removed.job_id)).toBe(false);
  });
});

describe('people and places', () => {
  test('characters and corporations have the shape of the contract date', async () => {
    const { simulator } = await startTestSimulator();
    const of = async (path: string, date: string) =>
      (await (await get(simulator, path, { 'x-compatibility-date': date })).json()) as Record<
        string,
        unknown
      >;
    expect(await of(`/characters/${ANNA}`, '2026-06-09')).toMatchObject({
      name: 'Anna Testa',
      corporation_id: CORPORATION,
      achievement_score: expect.any(Number),
    });
    expect(await of(`/characters/${BRAM}`, '2020-01-01')).not.toHaveProperty('achievement_score');
    expect(await of(`/corporations/${CORPORATION}`, '2026-07-21')).toMatchObject({
      ticker: 'PROOF',
      tax_rates: { isk: 0.05 },
    });
    expect(await of(`/corporations/${CORPORATION}`, '2020-01-01')).toMatchObject({ tax_rate: 0.05 });
    expect((await get(simulator, '/characters/5')).status).toBe(404);
    expect((await get(simulator, '/characters/91000123')).status).toBe(200);
    expect((await get(simulator, '/corporations/1000002')).status).toBe(200);
  });

  test('names and affiliations are returned for all ids or none', async () => {
    const { simulator } = await startTestSimulator();
    const ids = [
      ANNA,
      CORPORATION,
      34,
      30_000_142,
      60_003_760,
      10_000_002,
      1_000_002,
      91_000_005,
      98_500_005,
    ];
    const names = await post<{ category: string; id: number }[]>(simulator, '/universe/names', ids);
    expect(names.json.map((row) => row.category)).toEqual(
      'character corporation inventory_type solar_system station region corporation character corporation'.split(
        ' ',
      ),
    );
    expect((await post(simulator, '/universe/names', [ANNA, OPEN])).status).toBe(404);
    simulator.owners.move(BRAM, 98_000_002);
    expect((await post(simulator, '/characters/affiliation', [ANNA, BRAM])).json).toEqual([
      { character_id: ANNA, corporation_id: CORPORATION },
      { character_id: BRAM, corporation_id: 98_000_002 },
    ]);
    expect((await post(simulator, '/characters/affiliation', [ANNA, 5])).status).toBe(404);
  });

  test('every party of every journal has a name', async () => {
    const { simulator } = await startTestSimulator();
    const rows = [ANNA, BRAM, CORPORATION].flatMap((id) => simulator.owners.journal(id));
    const ids = rows.flatMap((row) => [row.first_party_id ?? ANNA, row.second_party_id ?? ANNA]);
    expect((await post(simulator, '/universe/names', [...new Set(ids)])).status).toBe(200);
  });

  test('a structure is visible to the characters on its access list', async () => {
    const structures = [
      { id: OPEN, acl: [ANNA], name: 'Mine', systemId: 30_002_187 },
      { id: OPEN + 1, acl: 'public' as const },
      { id: OPEN + 2 },
    ];
    const { simulator } = await startTestSimulator({ owners: { structures } });
    const { owners } = simulator;
    const [anna, bram] = [await requestAs(simulator, ANNA), await requestAs(simulator, BRAM)];
    const statuses = async (request: typeof anna) => {
      const answers = await Promise.all(
        [0, 1, 2].map((index) => request(`/universe/structures/${OPEN + index}`)),
      );
      return answers.map(({ status }) => status);
    };
    expect((await anna(`/universe/structures/${OPEN}`)).json).toMatchObject({
      name: 'Mine',
      owner_id: CORPORATION,
      solar_system_id: 30_002_187,
    });
    expect([await statuses(anna), await statuses(bram)]).toEqual([
      [200, 200, 403],
      [403, 200, 403],
    ]);
    expect(await (await get(simulator, '/universe/structures')).json()).toEqual([OPEN + 1]);
    owners.grant(OPEN, BRAM);
    owners.deny(OPEN, ANNA);
    owners.deny(OPEN + 1, BRAM);
    expect([await statuses(anna), await statuses(bram)]).toEqual([
      [403, 200, 403],
      [200, 403, 403],
    ]);
    expect((await anna('/universe/structures/1020000000001')).json).toEqual({ error: 'Forbidden' });
    expect((await anna('/universe/structures/60003760')).status).toBe(404);
    expect((await get(simulator, `/universe/structures/${OPEN}`)).status).toBe(401);
  });
});
