import { afterEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../../support/test-engine.ts';
import { ANNA, characterTarget, ownerEngine } from '../../support/owner-engine.ts';

/** The ids that are requested as structures. ESI bans callers that guess ids. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const [HANGAR, LOST] = [1_040_000_000_123, 1_040_000_000_124];
const structures = async (...ids: number[]) =>
  (
    await engine.db.rows<{ id: number }>(
      'SELECT structure_id AS id FROM structures WHERE structure_id = ANY($1) ORDER BY 1',
      [ids],
    )
  ).map(({ id }) => id);
const put = (location_id: number, location_flag: string) =>
  engine.sim.owners.addAsset(ANNA, { location_id, location_type: 'item', location_flag });

test.each(['Cargo', 'HiSlot3', 'DroneBay', 'Unlocked', 'SpecializedOreHold', 'FighterTube1'])(
  'an unlisted location with assets in %s is no structure, one with assets in a hangar is',
  async (flag) => {
    engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 20 }] });
    put(LOST, flag);
    put(HANGAR, 'Hangar');
    expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published', inserted: 22 });
    expect(await structures(HANGAR, LOST)).toEqual([HANGAR]);
  },
);

test('the facility of a job is a structure, its output location is not', async () => {
  engine = await ownerEngine();
  engine.sim.owners.startJob(ANNA, { facility_id: HANGAR, output_location_id: LOST });
  expect(await engine.collect('industry', ME)).toMatchObject({ outcome: 'published' });
  expect(await structures(HANGAR, LOST)).toEqual([HANGAR]);
});

test('the type of a structure is requested with the structure', async () => {
  engine = await ownerEngine();
  const [structure] = engine.sim.owners.registry.structures.values();
  await engine.db.pool.query(
    `INSERT INTO structures (structure_id, name, is_placeholder) VALUES ($1, 'somewhere', true)`,
    [structure!.id],
  );
  const type = 'FROM types WHERE type_id = $1';
  await engine.db.pool.query(`DELETE ${type}`, [structure!.typeId]);
  expect(await engine.collect('structures')).toMatchObject({ changed: 1 });
  expect(await engine.db.rows(`SELECT ${type}`, [structure!.typeId])).toHaveLength(1);
});
