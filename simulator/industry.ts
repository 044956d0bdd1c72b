import type { Clock } from '../src/lib/clock.ts';
import { snapshotTimes, type CacheTimes } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import { structureId } from './order-maker.ts';
import { between, createRandom, mixSeed, pick, type Random } from './random.ts';
import type { Facility, IndustrySystem, Universe } from './esi-rows.ts';

/** ESI's cache time for both lists. */
export const INDUSTRY_CACHE_MS = 3_600_000;

const ACTIVITIES = [
  'manufacturing',
  'researching_time_efficiency',
  'researching_material_efficiency',
  'copying',
  'invention',
  'reaction',
] as const;

/** The range of the indices observed. */
const LOWEST_INDEX = 0.000413;

const HIGHEST_INDEX = 0.137;

/** The share of systems without a station that have structures. */
const STATIONLESS_SHARE = 0.6;

/** The share of indices that change within an hour. It is a guess: busy systems change and idle ones do not. */
const CHANGED_SHARE = 0.7;

const STRUCTURE_TYPES = [35_825, 35_826, 35_827, 35_835, 35_836]; // engineering complexes and refineries

/** The list of /industry/systems that is served now. */
export interface IndustryList extends CacheTimes {
  rows: readonly IndustrySystem[];
  version: number;
  body: Body | undefined;
}

export interface Industry {
  /** The list that is served now; a newer one when its hour has passed. */
  list(): IndustryList;
  /** Makes new indices now, under a new Last-Modified. */
  takeSnapshot(): void;
}

function firstRows(universe: Universe, random: Random): IndustrySystem[] {
  const rows: IndustrySystem[] = [];
  for (const system of universe.systems.values()) {
    const hasPlants = system.stations !== undefined || random() < STATIONLESS_SHARE;
    if (!hasPlants || Math.floor(system.system_id / 1e6) !== 30) continue; // known space only
    const cost_indices = ACTIVITIES.map((activity) => ({
      activity,
      cost_index: LOWEST_INDEX * (HIGHEST_INDEX / LOWEST_INDEX) ** (random() ** 2), // most are small; 17 digits like the real ones
    }));
    rows.push({ cost_indices, solar_system_id: system.system_id });
  }
  return rows;
}

function moved(row: IndustrySystem, random: Random): IndustrySystem {
  const cost_indices = row.cost_indices.map((index) => {
    if (random() >= CHANGED_SHARE) return index;
    const wanted = index.cost_index * (0.97 + random() * 0.06); // within 3 %
    return { ...index, cost_index: Math.min(HIGHEST_INDEX, Math.max(LOWEST_INDEX, wanted)) };
  });
  return { ...row, cost_indices };
}

/** Creates the cost indices of a world. The list is made when it is first needed. */
export function createIndustry(universe: Universe, seed: number, clock: Clock): Industry {
  const random = createRandom(mixSeed(seed, 4)); // 1 to 3 are the universe's and the prices'
  let list: IndustryList | undefined;
  const addSnapshot = (rows: IndustrySystem[]): IndustryList => {
    list = {
      rows,
      ...snapshotTimes(clock.now(), INDUSTRY_CACHE_MS, list),
      version: (list?.version ?? 0) + 1,
      body: undefined,
    };
    return list;
  };
  const open = () => list ?? addSnapshot(firstRows(universe, random));
  const takeSnapshot = () => addSnapshot(open().rows.map((row) => moved(row, random)));
  return {
    list: () => (clock.now() >= open().expires.getTime() ? takeSnapshot() : open()),
    takeSnapshot: () => void takeSnapshot(),
  };
}

/** The body that is served now. */
export function industryBody(list: IndustryList): Body {
  return (list.body ??= packJson(list.rows));
}

/** All stations, and one or two structures in every tenth system of known space. */
export function facilitiesOf(universe: Universe, seed: number): Facility[] {
  const random = createRandom(mixSeed(seed, 5)); // 4 is the indices'
  const regionOf = (system: number): number => {
    const constellation = universe.systems.get(system)?.constellation_id ?? 0;
    return universe.constellations.get(constellation)?.region_id ?? 0;
  };
  const tax = () => (random() < 0.5 ? { tax: between(random, 0, 100) / 1_000 } : {}); // at most a tenth, or absent
  const rows: Facility[] = [];
  const add = (facility_id: number, owner_id: number, system: number, type_id: number) =>
    rows.push({
      facility_id,
      owner_id,
      region_id: regionOf(system),
      solar_system_id: system,
      ...tax(),
      type_id,
    });
  for (const row of universe.stations.values())
    add(row.station_id, row.owner ?? 1_000_002, row.system_id, row.type_id); // 1_000_002 is the first corporation
  for (const { system_id } of universe.systems.values()) {
    if (Math.floor(system_id / 1e6) !== 30 || random() >= 0.1) continue;
    for (let number = between(random, 1, 2); number > 0; number--)
      add(
        structureId(system_id, number),
        98_000_000 + between(random, 1, 9_999),
        system_id,
        pick(random, STRUCTURE_TYPES),
      );
  }
  return rows;
}
