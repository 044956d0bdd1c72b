import type { TypeRow, Universe } from './esi-rows.ts';

export const SHIP_CATEGORY = 6;

/** Groups of containers that can be named. */
export const CONTAINER_GROUPS: readonly number[] = [12, 340, 448, 649];

/** Categories of owners' assets, with real ids and names. */
const CATEGORIES: readonly (readonly [id: number, name: string])[] = [
  [2, 'Celestial'],
  [3, 'Station'],
  [SHIP_CATEGORY, 'Ship'],
  [29, 'Abstract'],
  [46, 'Orbitals'],
  [65, 'Structure'],
];

/** Groups, each with its category. */
const GROUPS: readonly (readonly [id: number, category: number, name: string])[] = [
  [12, 2, 'Cargo Container'],
  [16, 3, 'Station Services'],
  [25, 6, 'Frigate'],
  [26, 6, 'Cruiser'],
  [27, 6, 'Battleship'],
  [28, 6, 'Hauler'],
  [29, 6, 'Capsule'],
  [31, 6, 'Shuttle'],
  [237, 6, 'Corvette'],
  [340, 2, 'Secure Cargo Container'],
  [448, 2, 'Audit Log Secure Container'],
  [649, 2, 'Freight Container'],
  [1_025, 46, 'Orbital Infrastructure'],
  [1_319, 29, 'Miscellaneous'],
  [1_404, 65, 'Engineering Complex'],
  [1_406, 65, 'Refinery'],
  [1_657, 65, 'Citadel'],
];

/** Types with their group, volume, packaged volume and capacity. */
const TYPES: readonly (readonly [number, string, number, number, number, number])[] = [
  [23, 'Cargo Container', 12, 55_000, 55_000, 55_000],
  [27, 'Office', 16, 1, 1, 0],
  [60, 'Asset Safety Wrap', 1_319, 1, 1, 1],
  [587, 'Rifter', 25, 27_289, 2_500, 140],
  [588, 'Reaper', 237, 15_800, 2_500, 120],
  [626, 'Vexor', 26, 115_000, 10_000, 480],
  [640, 'Scorpion', 27, 468_000, 50_000, 690],
  [648, 'Badger', 28, 250_000, 20_000, 3_900],
  [670, 'Capsule', 29, 1_000, 500, 0],
  [672, 'Caldari Shuttle', 31, 5_000, 500, 10],
  [2_233, 'Customs Office', 1_025, 100_000_000, 100_000_000, 35_000],
  [3_293, 'Medium Standard Container', 12, 325, 33, 390],
  [3_465, 'Large Secure Container', 340, 650, 65, 780],
  [3_467, 'Small Secure Container', 340, 100, 10, 120],
  [17_366, 'Station Container', 448, 2_000_000, 10_000, 1_000_000],
  [24_445, 'Giant Freight Container', 649, 120_000, 1_200, 120_000],
  [33_003, 'Enormous Freight Container', 649, 250_000, 2_500, 250_000],
  [35_825, 'Raitaru', 1_404, 8_000, 8_000, 0],
  [35_832, 'Astrahus', 1_657, 8_000, 8_000, 0],
  [35_835, 'Athanor', 1_406, 8_000, 8_000, 0],
];

function putGroup(universe: Universe, id: number, category_id: number, name: string): void {
  const known = universe.groups.get(id);
  for (const category of universe.categories.values())
    category.groups = category.groups.filter((group) => group !== id);
  universe.categories.get(category_id)?.groups.push(id);
  universe.groups.set(id, { category_id, group_id: id, name, published: true, types: known?.types ?? [] });
}

/** Adds a type. A type that exists already stays as tradable as it was; a new one is not on the market. */
function putType(
  universe: Universe,
  [id, name, group_id, volume, packed, capacity]: (typeof TYPES)[number],
): void {
  const known = universe.types.get(id);
  if (known) {
    const group = universe.groups.get(known.group_id);
    if (group) group.types = group.types.filter((type) => type !== id);
  }
  const base: TypeRow = known ?? {
    description: '',
    group_id,
    mass: 1_000,
    name,
    portion_size: 1,
    published: false,
    radius: 1,
    type_id: id,
  };
  universe.types.set(id, { ...base, name, group_id, volume, packaged_volume: packed, capacity });
  universe.groups.get(group_id)?.types.push(id);
}

/** Removes types that nobody trades or makes, so that the universe keeps its size. */
function removeIdle(universe: Universe, count: number): void {
  const made = new Set(
    [...universe.schematics.values()].flatMap((row) => [
      ...row.pins,
      ...row.types.map((type) => type.type_id),
    ]),
  );
  const kept = new Set(TYPES.map(([id]) => id));
  const idle = [...universe.types.values()].filter(
    (row) =>
      row.type_id > 0 &&
      !row.published &&
      row.market_group_id === undefined &&
      !made.has(row.type_id) &&
      !kept.has(row.type_id),
  );
  for (const { type_id, group_id } of idle.slice(-count)) {
    universe.types.delete(type_id);
    const group = universe.groups.get(group_id);
    if (group) group.types = group.types.filter((type) => type !== type_id);
  }
}

/** Adds ships, containers and what else owners' assets need, under their real ids. */
export function fillAssetTypes(universe: Universe): void {
  const size = universe.types.size;
  for (const [id, name] of CATEGORIES)
    universe.categories.set(id, {
      category_id: id,
      groups: universe.categories.get(id)?.groups ?? [],
      name,
      published: true,
    });
  for (const [id, category, name] of GROUPS) putGroup(universe, id, category, name);
  for (const row of TYPES) putType(universe, row);
  removeIdle(universe, universe.types.size - size);
}
