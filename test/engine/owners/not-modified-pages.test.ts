import { afterEach, describe, expect, test } from '@jest/globals';
import type { AssetRow } from '../../../simulator/index.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  advanceOneHour,
  CORPORATION,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

/** Pages that answer 304 after a snapshot with invalid rows or duplicates. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const ASSETS = { route: '/characters/{character_id}/assets' };

const kinds = async () =>
  (
    await engine.db.rows<{ kind: string }>('SELECT change_type AS kind FROM asset_diffs ORDER BY change_type')
  ).map(({ kind }) => kind);

describe('assets with changes on the last page only', () => {
  let changeable: AssetRow[];
  let others: AssetRow[];
  async function begin(assets: number): Promise<void> {
    engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets }] });
    await engine.collect('assets', ME);
    const all = engine.sim.owners.assets(ANNA);
    const places = new Set(all.map((row) => row.location_id));
    const single = (row: AssetRow) => !row.is_singleton && !places.has(row.item_id);
    others = all.slice(0, 1_000).filter(single);
    changeable = all.slice(2_000).filter(single);
  }
  /** Collects the nth snapshot after the first one, in which one more item has changed its quantity. */
  async function collectNext(nth: number) {
    const { item_id, quantity } = changeable[nth]!;
    await advanceOneHour(engine, () =>
      engine.sim.owners.changeAsset(ANNA, item_id, { quantity: quantity + 7 }),
    );
    return engine.collect('assets', ME);
  }

  test('an item whose row has no id any more stays for two readings, and one with another fault while its page answers 304', async () => {
    await begin(2_300);
    const [nameless, invalid] = [others[0]!.item_id, others[1]!.item_id];
    engine.sim.faults.mutateRows<AssetRow>((row) => {
      if (row.item_id === nameless) return { ...row, item_id: 'x' };
      return row.item_id === invalid ? { ...row, quantity: 'x' } : row;
    }, ASSETS);
    for (const [nth, removed] of [0, 0, 1, 0].entries())
      expect(await collectNext(nth)).toMatchObject({ outcome: 'published', removed });
    const left = await engine.db.rows('SELECT item_id FROM assets WHERE item_id = ANY($1)', [
      [nameless, invalid],
    ]);
    expect(left).toEqual([{ item_id: invalid }]);
  });

  test('an item that comes twice counts once, also when one of the pages answers 304', async () => {
    await begin(2_300);
    await collectNext(0);
    engine.sim.faults.duplicateRow(ASSETS);
    expect(await collectNext(1)).toMatchObject({ outcome: 'published', changed: 1, removed: 0 });
    expect(await kinds()).toEqual(['QUANTITY_CHANGED', 'QUANTITY_CHANGED']);
    expect(await engine.db.rows('SELECT FROM assets')).toHaveLength(2_300);
  });

  test('a snapshot with a few invalid rows on a short last page is published', async () => {
    await begin(2_020);
    const bad = new Set(changeable.slice(0, 3).map((row) => row.item_id));
    engine.sim.faults.mutateRows<AssetRow>(
      (row) => (bad.has(row.item_id) ? { ...row, quantity: null } : row),
      ASSETS,
    );
    for (let nth = 3; nth < 6; nth++) expect(await collectNext(nth)).toMatchObject({ outcome: 'published' });
  });
});

describe('a snapshot that is not believed', () => {
  test('an open order in whose place another one came twice is listed again, and not taken for filled', async () => {
    engine = await ownerEngine();
    await engine.collect('orders', ME);
    const open = engine.sim.owners.orders(ANNA);
    const states = () =>
      engine.db.rows(`SELECT FROM character_orders WHERE state = 'active' AND left_at IS NULL`);
    expect(await states()).toHaveLength(open.length);
    engine.sim.faults.mutateRows<{ order_id: number }>(
      (row) => (row.order_id === open[1]!.order_id ? { ...open[0]! } : row),
      { route: '/characters/{character_id}/orders', times: 1 },
    );
    await advanceOneHour(engine);
    expect(await engine.collect('orders', ME)).toMatchObject({ outcome: 'published', removed: 1 });
    for (let hour = 0; hour < 2; hour++) {
      engine.clock.advance(3_601_000);
      await engine.collect('orders', ME);
      expect(await states()).toHaveLength(open.length);
    }
  });

  test('divisions with two names for one lose none', async () => {
    const corporation = corporationTarget(CORPORATION);
    engine = await ownerEngine();
    await engine.collect('wallet', corporation);
    const before = await engine.db.rows('SELECT * FROM corporation_divisions ORDER BY 1, 2, 3');
    expect(before.length).toBeGreaterThan(0);
    engine.sim.faults.mutateRows<Record<string, object[]>>(
      (row) => ({
        ...row,
        wallet: [...(row['wallet'] ?? []), { division: 7, name: 'A' }, { division: 7, name: 'B' }],
      }),
      { route: '/divisions', times: 4 },
    );
    await advanceOneHour(engine);
    await engine.collect('wallet', corporation);
    const last = `SELECT outcome FROM collection_runs WHERE resource = 'divisions' ORDER BY run_id DESC LIMIT 1`;
    expect(await engine.db.rows(last)).toEqual([{ outcome: 'refused' }]);
    engine.clock.advance(3_601_000);
    await engine.collect('wallet', corporation);
    expect((await engine.db.rows('SELECT FROM corporation_divisions')).length).toBeGreaterThanOrEqual(
      before.length,
    );
  });
});
