import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../../src/engine/run/collect-target.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import { ANNA, advanceOneHour, characterTarget, ownerEngine } from '../../support/owner-engine.ts';

/** Ids beyond 2^53, which a number of JavaScript cannot hold. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const LOCATION = '9001300000000000123';
const ITEM = '9001300000000000457';
const ROUTE = '/characters/{character_id}/assets';

/** Serves the assets of the simulator as text, in which `change` may write any digits. */
function serve(change: (text: string) => string): void {
  engine.sim.faults.clear();
  engine.sim.faults.rawBody(`[{"item_id":${ITEM},"name":"Big One"}]`, { route: '/assets/names' });
  const rows = engine.sim.owners.assets(ANNA);
  engine.sim.faults.rawBody(change(JSON.stringify(rows)), { route: ROUTE });
}

const stored = async () =>
  engine.db.rows<{ item_id: string; location_id: string; name: string | null }>(
    `SELECT item_id::text, location_id::text, name FROM assets WHERE location_id > 2::numeric ^ 53 OR item_id > 2::numeric ^ 53
      ORDER BY item_id`,
  );

test('ids beyond 2^53 are exact from the answer to the tables, in changes and in names', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 12 }] });
  const items = engine.sim.owners.assets(ANNA);
  const ship = items.find(
    (row) =>
      row.is_singleton &&
      engine.sim.world.universe.groups.get(engine.sim.world.types.get(row.type_id)!.group_id)?.category_id ===
        6,
  )!;
  const moved = items
    .filter((row) => !row.is_singleton)
    .slice(0, 3)
    .map((row) => row.item_id);
  const place = (text: string, location: string) => {
    let placed = text;
    for (const id of moved)
      placed = placed
        .replace(new RegExp(`("item_id":${id},[^}]*"location_id":)\\d+`), `$1${location}`)
        .replace(new RegExp(`("location_id":)\\d+([^}]*"item_id":${id}\\b)`), `$1${location}$2`);
    return placed.replaceAll(new RegExp(`:${ship.item_id}\\b`, 'g'), `:${ITEM}`);
  };
  serve((text) => place(text, LOCATION));
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published', inserted: items.length });
  expect(await engine.db.rows('SELECT * FROM rejected_rows')).toEqual([]);
  const rows = await stored();
  expect(rows.filter((row) => row.location_id === LOCATION).map((row) => Number(row.item_id))).toEqual(
    moved.toSorted((a, b) => a - b),
  );
  expect(rows.find((row) => row.item_id === ITEM)).toMatchObject({ name: 'Big One' });

  // Again: nothing has changed. Elsewhere: one exact change of each.
  await advanceOneHour(engine);
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'unchanged' });
  await advanceOneHour(engine);
  serve((text) => place(text, '9001300000000000124'));
  expect(await collectTarget(engine.restart(), { collector: 'assets', target: ME })).toMatchObject({
    changed: 3,
  });
  expect(
    await engine.db.rows(
      'SELECT DISTINCT change_type, old_location_id::text AS old, new_location_id::text AS new FROM asset_diffs',
    ),
  ).toEqual([{ change_type: 'LOCATION_CHANGED', old: LOCATION, new: '9001300000000000124' }]);
  // A program of ours reads the digits too.
  const [big] = await engine.db.rows<{ item_id: unknown }>(
    `SELECT item_id FROM assets WHERE item_id = ${ITEM}`,
  );
  expect(big!.item_id).toBe(ITEM);
});

test('an item beyond the range of PostgreSQL is rejected alone', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 12 }] });
  const [first] = engine.sim.owners.assets(ANNA).filter((row) => !row.is_singleton);
  serve((text) => text.replace(`"item_id":${first!.item_id}`, '"item_id":9223372036854775808'));
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT row, reason FROM rejected_rows')).toEqual([
    {
      row: expect.objectContaining({ item_id: '9223372036854775808' }),
      reason: 'item_id: not an integer of the expected range',
    },
  ]);
});

test('a coordinate and an amount that ESI writes as large integers are numbers', async () => {
  engine = await ownerEngine();
  const [system] = engine.sim.world.universe.systems.values();
  engine.sim.world.put('systems', system!.system_id, {
    ...system!,
    position: { x: -68296325858682390, y: 5e16, z: 1 },
  });
  engine.sim.world.hide('systems', system!.system_id);
  engine.sim.world.setBuild(engine.sim.world.build + 1);
  await engine.db.rows('UPDATE systems SET is_placeholder = true WHERE system_id = $1', [system!.system_id]);
  await engine.collect('universe');
  expect(
    await engine.db.rows('SELECT position_x, position_y, is_placeholder FROM systems WHERE system_id = $1', [
      system!.system_id,
    ]),
  ).toEqual([{ position_x: -68296325858682390, position_y: 5e16, is_placeholder: false }]);
});
