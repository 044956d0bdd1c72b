import { afterEach, describe, expect, test } from '@jest/globals';
import type { AssetRow, SimulatorOptions } from '../../../simulator/index.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  advanceOneHour,
  ANNA,
  CORPORATION,
  ownerEngine,
  characterTarget,
  corporationTarget,
} from '../../support/owner-engine.ts';

const ME = characterTarget(ANNA);
const FROM_ESI = `item_id, type_id, location_id, location_type, location_flag, quantity, is_singleton,
                  is_blueprint_copy, name, position_x, position_y, position_z`;

let engine: TestEngine;
afterEach(() => engine.close());

async function begin(owners?: SimulatorOptions['owners']): Promise<void> {
  engine = await ownerEngine(owners);
}

const withAssets = (assets: number): SimulatorOptions['owners'] => ({
  characters: [{ id: ANNA, name: 'Anna Testa', assets, roles: ['Director'] }],
});

const collect = (target = ME) => engine.collect('assets', target);

/** The table as it is now, and as it was at a moment. */
const readAssets = (owner = ANNA) =>
  engine.db.rows(
    `SELECT ${FROM_ESI} FROM assets WHERE ${owner === ANNA ? 'character_id' : 'corporation_id'} = $1 ORDER BY 1`,
    [owner],
  );
const readAssetsAt = (at: Date) =>
  engine.db.rows(`SELECT ${FROM_ESI} FROM assets_at($1, NULL, $2) ORDER BY 1`, [ANNA, at]);
const diffs = () =>
  engine.db.rows<{ change_type: string; item_id: number }>('SELECT * FROM asset_diffs ORDER BY id');
const kinds = async () => (await diffs()).map((d) => d.change_type).toSorted();

const plain = (row: AssetRow) => ({
  ...row,
  is_blueprint_copy: row.is_blueprint_copy ?? null,
});

const nextSnapshot = (change?: () => unknown) => advanceOneHour(engine, change);

describe('snapshots of assets', () => {
  test('the first snapshot of assets is stored with names and without diffs', async () => {
    await begin(withAssets(2_300));
    expect(await collect()).toMatchObject({ outcome: 'published', inserted: 2_300 });
    const served = engine.sim.owners.assets(ANNA);
    const rows = await readAssets();
    const expected = served.map(plain).toSorted((a, b) => a.item_id - b.item_id);
    expect(rows).toEqual(expected.map((row) => expect.objectContaining(row)));
    expect(rows.filter((row) => row['name'] !== null).length).toBeGreaterThan(0);
    expect(rows.filter((row) => row['name'] === 'None')).toEqual([]);
    expect(await diffs()).toEqual([]);
    expect(engine.sim.offences()).toEqual([]);
  });

  test('an unchanged snapshot of assets writes nothing', async () => {
    await begin(withAssets(1_200));
    await collect();
    const before = await engine.db.rows('SELECT ctid, xmin::text, item_id FROM assets ORDER BY 3');
    await nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'unchanged' });
    expect(await engine.db.rows('SELECT ctid, xmin::text, item_id FROM assets ORDER BY 3')).toEqual(before);
    expect(await diffs()).toEqual([]);
  });

  test('each kind of change of an asset gives a diff', async () => {
    await begin(withAssets(50));
    await collect();
    const stacks = engine.sim.owners.assets(ANNA).filter((row) => !row.is_singleton);
    const [grows, moves, both, flagged, goes] = stacks;
    const { owners } = engine.sim;
    await nextSnapshot(() => {
      owners.changeAsset(ANNA, grows!.item_id, { quantity: grows!.quantity + 5 });
      owners.changeAsset(ANNA, moves!.item_id, { location_id: 60003760, location_type: 'station' });
      owners.changeAsset(ANNA, both!.item_id, { quantity: both!.quantity + 1, location_id: 60003760 });
      owners.changeAsset(ANNA, flagged!.item_id, { location_flag: 'Deliveries' });
      owners.removeAsset(ANNA, goes!.item_id);
    });
    await collect();
    const found = await diffs();
    const of = (row: AssetRow) => found.filter((d) => d.item_id === row.item_id).map((d) => d.change_type);
    expect(of(grows!)).toEqual(['QUANTITY_CHANGED']);
    expect(of(moves!)).toContain('LOCATION_CHANGED');
    expect(of(both!)).toEqual(expect.arrayContaining(['QUANTITY_CHANGED', 'LOCATION_CHANGED']));
    expect(of(flagged!)).toEqual(['STATE_CHANGED']);
    expect(of(goes!)).toEqual(['REMOVED']);
    expect(found.find((d) => d.item_id === grows!.item_id)).toMatchObject({
      old_quantity: grows!.quantity,
      new_quantity: grows!.quantity + 5,
      character_id: ANNA,
      corporation_id: null,
    });
  });

  test('assets_at is exact for every published snapshot', async () => {
    await begin(withAssets(300));
    const sets: { at: Date; rows: unknown[] }[] = [];
    for (let i = 0; i < 8; i++) {
      if (i > 0) await nextSnapshot(() => engine.sim.owners.churnAssets(ANNA, i % 3 === 0 ? 0 : 0.1));
      await collect();
      const [set] = await engine.db.rows<{ last_modified: Date }>(
        `SELECT last_modified FROM published_sets WHERE collector = 'assets'`,
      );
      sets.push({ at: set!.last_modified, rows: await readAssets() });
    }
    for (const { at, rows } of sets) {
      expect(await readAssetsAt(at)).toEqual(rows);
      expect(await readAssetsAt(new Date(at.getTime() + 1_000))).toEqual(rows);
    }
    expect(await readAssetsAt(new Date(sets[0]!.at.getTime() - 1))).toEqual([]);
    expect((await diffs()).length).toBeGreaterThan(100);
  });

  test('removing all assets and adding others gives a diff for each item', async () => {
    await begin(withAssets(10));
    await collect();
    const all = engine.sim.owners.assets(ANNA);
    await nextSnapshot(() => engine.sim.owners.loseAssets(ANNA, 1));
    await collect();
    expect(await readAssets()).toEqual([]);
    const emptyAt = (
      await engine.db.rows<{ at: Date }>('SELECT max(current_snapshot_at) AS at FROM asset_diffs')
    )[0]!.at;
    await nextSnapshot(() => engine.sim.owners.addAsset(ANNA, { quantity: 3 }));
    await collect();
    expect(await kinds()).toEqual(['ADDED', ...all.map(() => 'REMOVED')]);
    expect(await readAssetsAt(emptyAt)).toEqual([]);
  });

  test.each([
    ['Second Wind', 'Second Wind'],
    ['Se\0cond \ud800Wind 🚀', 'Second Wind 🚀'], // PostgreSQL cannot store all of it
  ])('a ship that gets the name %j gives a diff', async (name, new_name) => {
    await begin(withAssets(100));
    await collect();
    const [ship] = await engine.db.rows<{ item_id: number }>(
      'SELECT item_id FROM assets WHERE name IS NOT NULL',
    );
    await nextSnapshot(() => engine.sim.owners.rename(ANNA, ship!.item_id, name));
    expect(await collect()).toMatchObject({ outcome: 'published', changed: 1 });
    expect(await diffs()).toMatchObject([{ change_type: 'NAME_CHANGED', new_name, item_id: ship!.item_id }]);
  });
});

describe('torn and suspect snapshots of assets', () => {
  test('a torn snapshot of assets is read again and published whole', async () => {
    await begin(withAssets(2_500));
    await collect();
    await nextSnapshot(() => engine.sim.owners.churnAssets(ANNA, 0.02));
    engine.sim.faults.tear({ times: 1 });
    expect(await collect()).toMatchObject({ outcome: 'published' });
    const served = engine.sim.owners.assets(ANNA).map((row) => row.item_id);
    expect((await readAssets()).map((row) => row['item_id'])).toEqual(served.toSorted((a, b) => a - b));
  });

  test('a snapshot of assets that is torn at every attempt changes nothing', async () => {
    await begin(withAssets(2_500));
    await collect();
    const before = await readAssets();
    await nextSnapshot(() => engine.sim.owners.churnAssets(ANNA, 0.02));
    engine.sim.faults.wrongPages(500);
    expect(await collect()).toMatchObject({ outcome: 'torn' });
    expect(await readAssets()).toEqual(before);
    expect(await diffs()).toEqual([]);
  });

  test.each([100, 1_500])(
    'the loss of most of %d assets must be confirmed by a second snapshot',
    async (assets) => {
      await begin(withAssets(assets));
      await collect();
      await nextSnapshot();
      engine.sim.faults.collapse(0.1, { times: 1 });
      expect(await collect()).toMatchObject({
        outcome: 'refused',
        detail: expect.stringContaining(`${assets * 0.9} of ${assets}`),
      });
      expect(await readAssets()).toHaveLength(assets);
      await nextSnapshot();
      expect(await collect()).toMatchObject({ outcome: 'unchanged' });
      await nextSnapshot(() => engine.sim.owners.loseAssets(ANNA, 0.9));
      expect(await collect()).toMatchObject({ outcome: 'refused' });
      await nextSnapshot();
      expect(await collect()).toMatchObject({ outcome: 'published' });
      expect((await readAssets()).length).toBeLessThan(assets / 5);
    },
  );
});

describe('unusual assets', () => {
  test('assets with an unknown type or location are published with a placeholder', async () => {
    await begin(withAssets(20));
    engine.sim.owners.addAsset(ANNA, {
      item_id: 1_099_999_999_999,
      type_id: 4_000_000,
      location_id: 1_048_888_888_888,
      location_type: 'item',
    });
    engine.sim.owners.takeSnapshots(ANNA);
    expect(await collect()).toMatchObject({ outcome: 'published', inserted: 21 });
    expect(await engine.db.rows('SELECT is_placeholder FROM types WHERE type_id = 4000000')).toEqual([
      { is_placeholder: true },
    ]);
    expect(
      await engine.db.rows('SELECT is_placeholder FROM structures WHERE structure_id = 1048888888888'),
    ).toEqual([{ is_placeholder: true }]);
  });

  test('containers, ships and asset safety are not taken for structures', async () => {
    await begin(withAssets(400));
    await collect();
    const nested = await engine.db.rows(
      `SELECT FROM structures s JOIN assets a ON a.item_id = s.structure_id`,
    );
    expect(nested).toEqual([]);
    const inside = await engine.db.rows(
      `SELECT FROM assets i JOIN assets o ON o.item_id = i.location_id AND o.character_id = i.character_id`,
    );
    expect(inside.length).toBeGreaterThan(10);
  });

  test('an invalid id among thousands loses only its own name', async () => {
    await begin(withAssets(5_000));
    await collect();
    const named = await engine.db.rows<{ item_id: number }>(
      'SELECT item_id FROM assets WHERE name IS NOT NULL',
    );
    expect(named.length).toBeGreaterThan(50);
    // A ship is sold after its page is read: its id is invalid for the whole batch.
    const { owners, faults } = engine.sim;
    const bad = named[0]!.item_id;
    await nextSnapshot(() => owners.churnAssets(ANNA, 0.01));
    faults.mutateRows<AssetRow>(
      (row) => (row.item_id === bad ? { ...row, item_id: 1_077_777_777_777 } : row),
      { route: '/characters/{character_id}/assets' },
    );
    expect(await collect()).toMatchObject({ outcome: 'published' });
    const still = await engine.db.rows('SELECT FROM assets WHERE name IS NOT NULL');
    expect(still.length).toBeGreaterThan(named.length * 0.9);
    expect(await engine.db.rows('SELECT name FROM assets WHERE item_id = 1077777777777')).toEqual([
      { name: null },
    ]);
  });

  test('an invalid row of assets is rejected, and the item stays unchanged', async () => {
    await begin(withAssets(60));
    await collect();
    const [victim] = engine.sim.owners.assets(ANNA);
    await nextSnapshot();
    engine.sim.faults.mutateRows<AssetRow>((row) =>
      row.item_id === victim!.item_id ? { ...row, quantity: null } : row,
    );
    await collect();
    expect(await engine.db.rows('SELECT quantity FROM assets WHERE item_id = $1', [victim!.item_id])).toEqual(
      [{ quantity: victim!.quantity }],
    );
    expect(await engine.db.rows('SELECT reason FROM rejected_rows')).toEqual([
      { reason: expect.stringContaining('quantity') },
    ]);
    expect(await diffs()).toEqual([]);
  });
});

test('assets of a corporation are collected with the token of its director', async () => {
  await begin();
  expect(await collect(corporationTarget(CORPORATION))).toMatchObject({ outcome: 'published' });
  const served = engine.sim.owners.assets(CORPORATION);
  expect((await readAssets(CORPORATION)).map((row) => row['item_id'])).toEqual(
    served.map((row) => row.item_id).toSorted((a, b) => a - b),
  );
  expect(await readAssets(ANNA)).toEqual([]);
  expect(engine.sim.offences()).toEqual([]);
});
