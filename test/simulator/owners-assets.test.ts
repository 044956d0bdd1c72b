import { afterEach, describe, expect, test } from '@jest/globals';
import type { AssetRow, Simulator } from '../../simulator/index.ts';
import {
  ANNA,
  BRAM,
  closeSimulators,
  CORPORATION,
  offenceKinds,
  requestAs,
  post,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const ASSETS = `/characters/${ANNA}/assets`;
const CORP_ASSETS = `/corporations/${CORPORATION}/assets`;
const CONTAINERS = [12, 340, 448, 649];

function isNameable({ world }: Simulator, row: AssetRow): boolean {
  const group = world.groups.get(world.types.get(row.type_id)?.group_id ?? -1);
  return row.is_singleton && (group?.category_id === 6 || CONTAINERS.includes(group?.group_id ?? -1));
}

/** Every page, and what the test looks at. */
async function readAll(request: Awaited<ReturnType<typeof requestAs>>, path: string) {
  const first = await request<AssetRow[]>(path);
  const pages = [first];
  for (let page = 2; page <= Number(first.headers.get('x-pages')); page++)
    pages.push(await request<AssetRow[]>(`${path}?page=${page}`));
  return {
    rows: pages.flatMap(({ json }) => json),
    modified: new Set(pages.map(({ headers }) => headers.get('last-modified'))),
    etags: pages.map(({ headers }) => headers.get('etag') ?? ''),
  };
}

describe('what assets are', () => {
  test('a character has ships and containers with contents in every kind of place', async () => {
    const { simulator } = await startTestSimulator();
    const { rows } = await readAll(await requestAs(simulator, ANNA), ASSETS);
    expect(rows).toHaveLength(120);
    const byId = new Map(rows.map((row) => [row.item_id, row]));
    expect(byId.size).toBe(120);
    const places = (accept: (row: AssetRow) => boolean) => rows.filter(accept).length;
    expect(
      places((row) => row.location_type === 'station' && simulator.world.stations.has(row.location_id)),
    ).toBeGreaterThan(5);
    expect(
      places((row) => row.location_type === 'solar_system' && simulator.world.systems.has(row.location_id)),
    ).toBeGreaterThan(0);
    expect(places((row) => row.location_id === 2_004 && row.type_id === 60)).toBeGreaterThan(0);
    expect(places((row) => row.location_id > 1e12 && !byId.has(row.location_id))).toBeGreaterThan(3); // structures
    expect(
      places((row) => byId.get(byId.get(row.location_id)?.location_id ?? 0) !== undefined),
    ).toBeGreaterThan(0);
    expect(places((row) => row.is_blueprint_copy === true)).toBeGreaterThan(0);
    expect(places((row) => row.location_flag.startsWith('HiSlot'))).toBeGreaterThan(2);
    expect(rows.every((row) => simulator.world.types.has(row.type_id))).toBe(true);
    expect(rows.filter((row) => isNameable(simulator, row)).length).toBeGreaterThan(3);
    for (const row of rows.filter(({ location_flag }) => location_flag === 'Cargo'))
      expect(byId.get(row.location_id)).toBeDefined();
  });

  test('a corporation has offices with hangars', async () => {
    const { simulator } = await startTestSimulator();
    const { rows } = await readAll(await requestAs(simulator, ANNA), CORP_ASSETS);
    const offices = rows.filter((row) => row.type_id === 27);
    expect(rows).toHaveLength(300);
    expect(new Set(offices.map((row) => row.location_flag))).toEqual(new Set(['OfficeFolder', 'Impounded']));
    expect(offices.some((row) => row.location_type === 'item')).toBe(true); // in a structure
    const ids = new Set(offices.map((row) => row.item_id));
    const hangars = rows.filter((row) => /^CorpSAG[1-7]$/.test(row.location_flag));
    expect(new Set(hangars.map((row) => row.location_flag)).size).toBe(7);
    expect(hangars.every((row) => ids.has(row.location_id))).toBe(true);
    expect(rows.some((row) => row.location_flag === 'CorpDeliveries')).toBe(true);
  });

  test('the simulated universe has the types of assets', async () => {
    const { simulator } = await startTestSimulator();
    const { types, groups, categories } = simulator.world;
    expect(categories.get(6)?.name).toBe('Ship');
    for (const id of [...CONTAINERS, 25]) expect(groups.get(id)?.types.length).toBeGreaterThan(0);
    for (const [id, row] of groups) expect(categories.get(row.category_id)?.groups).toContain(id);
    for (const [id, row] of types) expect(groups.get(row.group_id)?.types).toContain(id);
    expect([27, 60, 587, 17_366].map((id) => types.get(id)?.name)).toEqual([
      'Office',
      'Asset Safety Wrap',
      'Rifter',
      'Station Container',
    ]);
  });
});

describe('reading assets', () => {
  test('assets are read in pages of one snapshot and confirmed by entity tags', async () => {
    const { simulator, clock } = await startTestSimulator({
      owners: { characters: [{ id: ANNA, assets: 2_500 }] },
    });
    const request = await requestAs(simulator, ANNA);
    const { rows, modified, etags } = await readAll(request, ASSETS);
    expect([rows.length, modified.size]).toEqual([2_500, 1]);
    expect(new Set(rows.map((row) => row.item_id)).size).toBe(2_500);
    const first = await request(ASSETS, { 'if-none-match': etags[0] ?? '' });
    expect([first.status, first.headers.get('x-ratelimit-used')]).toEqual([304, '1']);
    expect(Date.parse(first.headers.get('expires') ?? '') - clock.now()).toBe(3_600_000);
    clock.advance(3_600_000);
    const again = await requestAs(simulator, ANNA);
    const later = await again(ASSETS, { 'if-none-match': etags[0] ?? '' });
    expect(later.status).toBe(304);
    expect(modified.has(later.headers.get('last-modified'))).toBe(false);
    expect((await again(`${ASSETS}?page=4`)).json).toEqual({ error: 'Requested page does not exist!' });
  });

  test('cacheSeconds shortens the cache times of all owner routes', async () => {
    const { simulator, clock } = await startTestSimulator({ owners: { cacheSeconds: 30 } });
    const request = await requestAs(simulator, ANNA);
    const left = async (path: string) =>
      (Date.parse((await request(path)).headers.get('expires') ?? '') - clock.now()) / 1_000;
    expect(await left(ASSETS)).toBe(30);
    expect(await left(`/characters/${ANNA}`)).toBe(30);
    expect(await left(`/characters/${ANNA}/wallet`)).toBe(30);
  });

  test('changed assets are visible in the next snapshot', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { owners } = simulator;
    const request = await requestAs(simulator, ANNA);
    const { rows } = await readAll(request, ASSETS);
    const inside = rows.find((row) => row.location_flag === 'Cargo') as AssetRow;
    const count = owners.removeAsset(ANNA, inside.location_id);
    expect(count).toBeGreaterThan(3);
    const added = owners.addAsset(ANNA, { type_id: 34, quantity: 5_000_000_000, location_id: 60_003_760 });
    const stack = rows.find((row) => row.location_flag === 'Hangar' && !row.is_singleton) as AssetRow;
    const changed = owners.changeAsset(ANNA, stack.item_id, { quantity: 1 });
    expect((await readAll(request, ASSETS)).rows).toEqual(rows);
    clock.advance(3_600_000);
    const after = await readAll(await requestAs(simulator, ANNA), ASSETS);
    expect(after.rows).toHaveLength(120 - count + 1);
    expect(after.rows).toContainEqual(added);
    expect(after.rows).toContainEqual(changed);
    expect(after.rows.some((row) => row.item_id === inside.item_id)).toBe(false);
    expect(owners.assets(ANNA)).toEqual(after.rows);
    expect(() => owners.removeAsset(ANNA, 1)).toThrow('no item 1');
  });

  test('churnAssets and loseAssets change a share of the rows', async () => {
    const { simulator } = await startTestSimulator({ owners: { characters: [{ id: ANNA, assets: 5_000 }] } });
    const { owners } = simulator;
    const before = new Map(owners.assets(ANNA).map((row) => [row.item_id, JSON.stringify(row)]));
    owners.churnAssets(ANNA, 0.1);
    owners.takeSnapshots(ANNA, 'assets');
    const after = owners.assets(ANNA);
    expect(after).toHaveLength(5_000);
    const changed = after.filter((row) => before.get(row.item_id) !== JSON.stringify(row)).length;
    expect(changed).toBeGreaterThan(200);
    expect(changed).toBeLessThan(1_500);
    owners.loseAssets(ANNA, 0.5);
    owners.takeSnapshots();
    const left = owners.assets(ANNA).length;
    expect(left).toBeGreaterThan(2_200);
    expect(left).toBeLessThan(2_800);
  });
});

describe('names and positions', () => {
  test('names are returned for ships and containers only, all or none', async () => {
    const { simulator } = await startTestSimulator();
    const { accessToken } = await simulator.sso.issue(ANNA);
    const request = (ids: unknown) =>
      post<{ item_id: number; name: string }[]>(simulator, `${ASSETS}/names`, ids, accessToken);
    const rows = simulator.owners.assets(ANNA);
    const ids = rows.filter((row) => isNameable(simulator, row)).map((row) => row.item_id);
    const other = rows.find((row) => !isNameable(simulator, row))?.item_id ?? 0;
    const { status, json, headers } = await request(ids);
    expect([status, json.length, headers.get('expires')]).toEqual([200, ids.length, null]);
    expect(new Set(json.map(({ name }) => name)).size).toBeGreaterThan(2);
    simulator.owners.rename(ANNA, ids[0] as number, 'None');
    simulator.owners.rename(ANNA, ids[1] as number, 'Flagship ★');
    expect((await request(ids.slice(0, 2))).json).toEqual([
      { item_id: ids[0], name: 'None' },
      { item_id: ids[1], name: 'Flagship ★' },
    ]);
    for (const bad of [other, 1]) {
      expect(await request([...ids, bad])).toMatchObject({
        status: 404,
        json: { error: 'Invalid IDs in the request' },
      });
    }
    const duplicated = [...ids, ids[0]];
    const many = Array.from({ length: 1_001 }, (_, index) => index);
    for (const bad of [[], duplicated, many, ['x'], {}]) expect((await request(bad)).status).toBe(400);
    expect((await post(simulator, `/characters/${BRAM}/assets/names`, ids, accessToken)).status).toBe(403);
    expect((await request(ids)).headers.get('x-ratelimit-group')).toBe('char-asset');
  });

  test('only assets in space have a position', async () => {
    const { simulator } = await startTestSimulator();
    const { accessToken } = await simulator.sso.issue(ANNA);
    for (const [owner, path] of [
      [ANNA, ASSETS],
      [CORPORATION, CORP_ASSETS],
    ] as const) {
      const rows = simulator.owners.assets(owner).slice(0, 1_000);
      const ids = rows.map((row) => row.item_id);
      const { json } = await post<{ item_id: number; position: { x: number } }[]>(
        simulator,
        `${path}/locations`,
        ids,
        accessToken,
      );
      expect(json.map((row) => row.item_id)).toEqual(ids);
      for (const [index, row] of rows.entries())
        expect(json[index]?.position.x === 0).toBe(row.location_type !== 'solar_system');
      expect((await post(simulator, `${path}/locations`, [...ids.slice(1), 7], accessToken)).status).toBe(
        404,
      );
    }
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

test('a hundred thousand assets are served a page at a time', async () => {
  const { simulator } = await startTestSimulator({
    owners: {
      characters: [
        { id: ANNA, assets: 100_000 },
        ...Array.from({ length: 1_000 }, (_, index) => ({ id: BRAM + index })),
      ],
    },
  });
  const request = await requestAs(simulator, ANNA);
  const { headers } = await request(ASSETS);
  expect(headers.get('x-pages')).toBe('100');
  expect((await request<AssetRow[]>(`${ASSETS}?page=100`)).json).toHaveLength(1_000);
  const last = await requestAs(simulator, BRAM + 999);
  expect((await last<AssetRow[]>(`/characters/${BRAM + 999}/assets`)).json).toHaveLength(120);
});
