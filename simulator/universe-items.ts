import { between, pick, prose, word, type Random } from './random.ts';
import type { TypeRow, Universe } from './esi-rows.ts';
import { fillAssetTypes } from './universe-asset-types.ts';
import type { UniverseSize } from './universe-size.ts';

/** The minerals, which readers of tests know. */
const MINERALS = ['Tritanium', 'Pyerite', 'Mexallon', 'Isogen', 'Nocxium', 'Zydrine', 'Megacyte'];

const FIRST_MINERAL = 34;

/** Some 2,500 types of a discontinued sister game have ids far above the others. */
const SECOND_BLOCK = 350_000;

/** The longest description observed. */
const LONGEST_TEXT = 6_603;

function fillCategories(universe: Universe, size: UniverseSize, random: Random): void {
  for (let index = 0; index < size.categories; index++) {
    const id = index < 30 ? index : 30 + (index - 30) * 120; // dense at first, sparse up to about 2,100
    const published = random() < 0.6; // the share of published categories
    universe.categories.set(id, { category_id: id, groups: [], name: `${word(random)} Category`, published });
  }
  const categories = [...universe.categories.values()];
  for (let index = 0, id = 0; index < size.groups; index++, id += between(random, 1, 5)) {
    const category = categories[index % categories.length] ?? pick(random, categories);
    category.groups.push(id);
    const name = `${word(random)} ${word(random)}`;
    const published = random() < 0.7; // the share of published groups
    universe.groups.set(id, { category_id: category.category_id, group_id: id, name, published, types: [] });
  }
}

/** Parents come from the first 40 %, so the other 60 % are leaves and may hold types. */
function fillMarketGroups(universe: Universe, size: UniverseSize, random: Random): number[] {
  const parents = Math.floor(size.marketGroups * 0.4);
  const roots = Math.min(19, Math.ceil(parents / 2)); // the real tree has 19 roots
  const ids: number[] = [];
  for (let index = 0, id = 2; index < size.marketGroups; index++, id += between(random, 1, 2)) {
    const parent = index < roots ? undefined : ids[between(random, 0, Math.min(index, parents) - 1)];
    universe.marketGroups.set(id, {
      description: `All about ${word(random).toLowerCase()}.`,
      market_group_id: id,
      name: `${word(random)} ${word(random)}s`,
      ...(parent === undefined ? {} : { parent_group_id: parent }),
      types: [],
    });
    ids.push(id);
  }
  return ids.slice(parents);
}

/** Ids are sparse; the last twentieth is in a block of its own. */
function typeIds(count: number, random: Random): number[] {
  const ids = [0, ...MINERALS.map((_, index) => FIRST_MINERAL + index)];
  let next = 50;
  while (ids.length < count - Math.floor(count / 20)) {
    ids.push(next);
    next += random() < 0.15 ? between(random, 2, 10) : 1; // 49,500 ids end near 95,000
  }
  for (let id = SECOND_BLOCK; ids.length < count; id += between(random, 1, 15)) ids.push(id);
  return ids;
}

function typeName(random: Random, id: number): string {
  const mineral = MINERALS[id - FIRST_MINERAL];
  if (mineral) return mineral;
  const name = `${word(random)} ${word(random)} ${pick(random, ['I', 'II', 'Blueprint', 'Module', 'Charge'])}`;
  const chance = random();
  if (chance < 0.001) return ` ${name} `; // a few real names have spaces around them
  if (chance < 0.006) return `◆ ${name} “Ω” 星`; // some names are not ASCII
  return chance < 0.01 ? `${name} ${'long '.repeat(12)}`.trim() : name;
}

function makeType(id: number, text: string, groupId: number, random: Random): TypeRow {
  const empty = random() < 0.36; // 19,000 of 52,000
  const length = Math.min(LONGEST_TEXT, Math.floor(40 * Math.exp(random() * 4.2))); // median about 330
  const start = between(random, 0, text.length - LONGEST_TEXT);
  const volume = Math.round(10 ** (random() * 6 - 2) * 100) / 100; // 0.01 to 10,000
  return {
    capacity: random() < 0.7 ? 0 : between(random, 1, 5_000),
    description: empty ? '' : text.slice(start, start + length),
    ...(random() < 0.38 ? { graphic_id: between(random, 1, 27_000) } : {}),
    group_id: groupId,
    ...(random() < 0.46 ? { icon_id: between(random, 1, 26_000) } : {}),
    mass: random() < 0.006 ? 1e35 : random() < 0.5 ? 0 : between(random, 1, 1_000_000),
    name: typeName(random, id),
    packaged_volume: random() < 0.016 ? volume / 2 : volume, // differs for 805 of 50,000
    portion_size: random() < 0.95 ? 1 : 100,
    published: FIRST_MINERAL <= id && (id < 50 || random() < 0.51),
    radius: between(random, 1, 100),
    type_id: id,
    volume,
  };
}

function fillTypes(universe: Universe, size: UniverseSize, leaves: readonly number[], random: Random): void {
  const text = prose(random, 60_000); // ten times the longest description: slices of it share its memory
  const groups = [...universe.groups.values()];
  const market = size.types < 1_000 ? 1 : 0.7; // a small world needs its few published types to be tradable
  for (const id of typeIds(size.types, random)) {
    const group = pick(random, groups);
    const row = makeType(id, text, group.group_id, random);
    const tradable = row.published && (random() < market || id < 50);
    if (tradable || (id > 0 && random() < 0.01)) {
      row.market_group_id = pick(random, leaves);
      universe.marketGroups.get(row.market_group_id)?.types.push(id);
    }
    group.types.push(id);
    universe.types.set(id, row);
  }
}

function fillSchematics(universe: Universe, size: UniverseSize, random: Random): void {
  const ids = [...universe.types.keys()];
  for (let index = 0; index < size.schematics; index++) {
    universe.schematics.set(65 + index, {
      cycle_time: pick(random, [1_800, 3_600]), // half an hour or an hour
      schematic_name: `${word(random)} ${word(random)}`,
      pins: [pick(random, ids), pick(random, ids)],
      types: [
        { type_id: pick(random, ids), is_input: true, quantity: 40 },
        { type_id: pick(random, ids), is_input: false, quantity: 5 },
      ],
    });
  }
}

/** Adds categories, groups, market groups, types and schematics. */
export function fillItems(universe: Universe, size: UniverseSize, random: Random): void {
  fillCategories(universe, size, random);
  const leaves = fillMarketGroups(universe, size, random);
  fillTypes(universe, size, leaves, random);
  fillSchematics(universe, size, random);
  fillAssetTypes(universe);
}
