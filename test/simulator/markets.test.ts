import { afterEach, describe, expect, test } from '@jest/globals';
import type { HistoryRow, TypeRow } from '../../simulator/index.ts';
import { closeSimulators, FORGE, get, offenceKinds, startTestSimulator } from './test-simulator.ts';

afterEach(closeSimulators);

const history = (typeId: number | string, region = FORGE) => `/markets/${region}/history?type_id=${typeId}`;
const json = async <T>(response: Response): Promise<T> => (await response.json()) as T;

describe('types of a market', () => {
  test('the types of a market are those with orders and a few without history', async () => {
    const { simulator, clock } = await startTestSimulator({ churn: 0 });
    const { world } = simulator;
    const first = await get(simulator, `/markets/${FORGE}/types`);
    expect([first.status, first.headers.get('x-pages')]).toEqual([200, '1']);
    expect(first.headers.get('expires')).toBe('Thu, 20 Aug 2026 12:10:00 GMT');
    expect([first.headers.get('x-esi-error-limit-remain'), first.headers.has('x-ratelimit-group')]).toEqual([
      '100',
      false,
    ]);
    const ids = await json<number[]>(first);
    const rows = ids.map((id) => world.types.get(id) as TypeRow);
    const unlisted = rows.filter((row) => !row.published || row.market_group_id === undefined);
    expect(unlisted.length).toBeGreaterThan(0);
    expect(unlisted.length).toBeLessThanOrEqual(5);
    expect(new Set(ids).size).toBe(ids.length);
    const traded = new Set(world.orders(FORGE).map((order) => order.type_id));
    expect(ids.length).toBe(traded.size + unlisted.length);
    for (const { type_id } of unlisted) expect((await get(simulator, history(type_id))).status).toBe(404);

    const plain = rows.find((row) => !unlisted.includes(row)) as TypeRow;
    world.put('types', 424_242, { ...plain, type_id: 424_242 });
    world.addOrder(FORGE, { type_id: 424_242 });
    world.takeSnapshot(FORGE);
    clock.advance(600_000);
    expect(await json(await get(simulator, `/markets/${FORGE}/types`))).toContain(424_242);
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('the types of a market are paged by 1,000, empty without orders, and 404 for an unknown region', async () => {
    const { simulator } = await startTestSimulator({ universe: 'full', regions: { [FORGE]: 20_000 } });
    const { length } = await json<number[]>(await get(simulator, `/markets/${FORGE}/types`));
    const second = await get(simulator, `/markets/${FORGE}/types?page=2`);
    const pages = Number(second.headers.get('x-pages'));
    expect([length, second.status]).toEqual([1_000, 200]);
    expect((await get(simulator, `/markets/${FORGE}/types?page=${pages + 1}`)).status).toBe(404);
    const empty = await get(simulator, '/markets/11000001/types');
    expect([empty.headers.get('x-pages'), await empty.json()]).toEqual(['1', []]);
    expect((await get(simulator, '/markets/10009999/types')).status).toBe(404);
  });
});

describe('history', () => {
  test('the market history has 400 days up to yesterday, in the shape of ESI', async () => {
    const { simulator, clock } = await startTestSimulator();
    const answer = await get(simulator, history(34));
    expect(answer.headers.get('expires')).toBe('Fri, 21 Aug 2026 11:05:00 GMT');
    expect(answer.headers.get('last-modified')).toBe('Thu, 20 Aug 2026 11:05:00 GMT');
    expect([answer.headers.get('x-esi-error-limit-remain'), answer.headers.has('x-ratelimit-group')]).toEqual(
      ['100', false],
    );
    const rows = await json<HistoryRow[]>(answer);
    expect(rows).toEqual(simulator.world.history(FORGE, 34));
    expect([rows.length, rows[0]?.date, rows.at(-1)?.date]).toEqual([400, '2025-07-16', '2026-08-19']);
    expect(Object.keys(rows[0] as HistoryRow).sort()).toEqual(
      'average date highest lowest order_count volume'.split(' '),
    );
    for (const row of rows) {
      expect(row.lowest).toBeLessThanOrEqual(row.average);
      expect(row.highest).toBeGreaterThanOrEqual(row.average);
    }
    expect(Math.max(...rows.map((row) => row.volume))).toBeGreaterThan(2 ** 32);

    clock.advance((86_400 - 3_301) * 1_000); // one second before 11:05
    expect(simulator.world.history(FORGE, 34)).toEqual(rows);
    clock.advance(1_000);
    const later = simulator.world.history(FORGE, 34);
    expect(later.slice(0, -1)).toEqual(rows.slice(1)); // earlier days do not change
    expect(later.at(-1)?.date).toBe('2026-08-20');
    const again = await get(simulator, history(34), { 'if-none-match': answer.headers.get('etag') ?? '' });
    expect([again.status, offenceKinds(simulator)]).toEqual([200, []]);
  });

  test('the market history has gaps and depends only on the seed', async () => {
    const worlds = await Promise.all(
      [1, 1, 2].map(async (seed) => (await startTestSimulator({ seed })).simulator.world),
    );
    const [first, same, other] = worlds.map((world) =>
      [...world.types.keys()].map((id) => world.history(FORGE, id)),
    ) as [HistoryRow[][], HistoryRow[][], HistoryRow[][]];
    expect(first).toEqual(same);
    expect(first).not.toEqual(other);
    const counts = first.map((rows) => rows.length);
    expect(counts.filter((count) => count === 400).length).toBeGreaterThan(20);
    expect(counts.filter((count) => count > 0 && count < 400).length).toBeGreaterThan(150);
    expect(counts).toContain(0);
  });

  test('the market history is refused with the errors of ESI', async () => {
    const { simulator } = await startTestSimulator();
    const { world } = simulator;
    const unpublished = [...world.types.values()].find((row) => !row.published);
    const [untradable = 0] = [...world.untradable].filter((id) => world.types.get(id)?.market_group_id);
    const errors: [string, number, string][] = [
      [history(unpublished?.type_id ?? 0), 404, 'Type not found!'],
      [history(9_999_999), 404, 'Type not found!'],
      [history(untradable), 400, 'Type not tradable on market!'],
      [history(34, 11000001), 400, 'Region has no market!'],
      [history(34, 10009999), 404, 'Region not found!'],
      [history(''), 400, 'type_id: not a number'],
    ];
    for (const [path, status, error] of errors) {
      const response = await get(simulator, path);
      expect([path, response.status, await response.json()]).toEqual([path, status, { error }]);
    }
    expect(world.untradable.has(34)).toBe(false);
  });

  test('a late correction of the market history has a new entity tag', async () => {
    const { simulator } = await startTestSimulator();
    const { world } = simulator;
    const before = await get(simulator, history(35));
    const other = await get(simulator, history(36));
    world.correctHistory(FORGE, 35, '2026-08-01', { volume: 7 });
    const after = await get(simulator, history(35), { 'if-none-match': before.headers.get('etag') ?? '' });
    const rows = await json<HistoryRow[]>(after);
    expect(rows.find((row) => row.date === '2026-08-01')?.volume).toBe(7);
    expect(rows.filter((row, index) => row !== undefined && index > 385 && row.volume === 7)).toHaveLength(0);
    const same = await get(simulator, history(36), { 'if-none-match': other.headers.get('etag') ?? '' });
    expect([after.status, same.status]).toEqual([200, 304]);
    expect(offenceKinds(simulator)).toEqual(['too-early']); // type 36 was requested again; type 35 had changed
    expect(() => world.correctHistory(FORGE, 35, '2026-08-20', {})).toThrow('no day');
    const [gappy = 0] = [...world.types.keys()].filter((id) => world.history(FORGE, id).length === 0);
    world.correctHistory(FORGE, gappy, '2026-08-02', {});
    expect(world.history(FORGE, gappy)).toHaveLength(1);
  });
});

describe('industry', () => {
  test('industry systems have six indices each and change', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { world } = simulator;
    const first = await get(simulator, '/industry/systems');
    expect(first.headers.get('x-ratelimit-limit')).toBe('150/15m');
    const rows = await json<{ solar_system_id: number; cost_indices: { cost_index: number }[] }[]>(first);
    const ids = new Set(rows.map((row) => row.solar_system_id));
    for (const station of world.stations.values()) expect(ids.has(station.system_id)).toBe(true);
    for (const { cost_indices } of rows) {
      expect(cost_indices).toHaveLength(6);
      for (const { cost_index } of cost_indices) expect(cost_index > 0.0004 && cost_index < 0.14).toBe(true);
    }
    world.takeIndustrySnapshot();
    const second = await get(simulator, '/industry/systems');
    clock.advance(3_601_000);
    const third = await get(simulator, '/industry/systems');
    const tags = [first, second, third].map(({ headers }) => headers.get('etag'));
    expect(new Set(tags).size).toBe(3);
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('industry facilities are stations and structures, some with a tax', async () => {
    const { simulator } = await startTestSimulator();
    const rows = await json<
      { facility_id: number; tax?: number; region_id: number; solar_system_id: number }[]
    >(await get(simulator, '/industry/facilities'));
    expect(rows.filter((row) => row.facility_id < 1e12)).toHaveLength(simulator.world.stations.size);
    expect(rows.some((row) => row.facility_id > 1e12)).toBe(true);
    expect(new Set(rows.map((row) => row.facility_id)).size).toBe(rows.length);
    expect(rows.some((row) => row.tax === undefined) && rows.some((row) => row.tax !== undefined)).toBe(true);
    expect(rows.every((row) => simulator.world.regions.has(row.region_id))).toBe(true);
  });
});
