import { between, pick, prose, word, type Random } from './random.ts';
import type { ConstellationRow, Position, RegionRow, SystemRow, Universe } from './esi-rows.ts';
import { fillStations } from './universe-stations.ts';
import type { UniverseSize } from './universe-size.ts';

const REGION_NAMES: Record<number, string> = {
  10000001: 'Derelik',
  10000002: 'The Forge',
  10000016: 'Lonetrek',
  10000030: 'Heimatar',
  10000032: 'Sinq Laison',
  10000042: 'Metropolis',
  10000043: 'Domain',
  11000001: 'A-R00001',
  19000001: 'GPMR-01',
};

/** The trade hubs by region, with their real systems and constellations, which demos and tests refer to. */
const HUBS: Record<number, { system: number; name: string; constellation: number; within: string }> = {
  10000002: { system: 30000142, name: 'Jita', constellation: 20000020, within: 'Kimotoro' },
  10000043: { system: 30002187, name: 'Amarr', constellation: 20000322, within: 'Throne Worlds' },
  10000032: { system: 30002659, name: 'Dodixie', constellation: 20000389, within: 'Coriault' },
  10000030: { system: 30002510, name: 'Rens', constellation: 20000367, within: 'Ortner' },
  10000042: { system: 30002053, name: 'Hek', constellation: 20000302, within: 'Barvigrard' },
};

/** The kind of space, by the leading digits of a region's id. */
const KNOWN = 10;

const WORMHOLE = 11;
const PLEX = 19;
const spaceOf = (regionId: number): number => Math.floor(regionId / 1_000_000);

function position(random: Random): Position {
  const metres = () => (random() - 0.5) * 2e17; // the extent of known space
  return { x: metres(), y: metres(), z: metres() };
}

function addConstellation(universe: Universe, region: RegionRow, id: number, random: Random): void {
  const hub = region.constellations.length === 0 ? HUBS[region.region_id] : undefined;
  const row: ConstellationRow = {
    constellation_id: hub?.constellation ?? id,
    name: hub?.within ?? word(random),
    position: spaceOf(region.region_id) === PLEX ? { x: 1, y: 1, z: 1 } : position(random),
    region_id: region.region_id,
    systems: [],
  };
  region.constellations.push(row.constellation_id);
  universe.constellations.set(row.constellation_id, row);
}

function fillConstellations(universe: Universe, size: UniverseSize, random: Random): void {
  const regions = [...universe.regions.values()];
  const growing = regions.filter((region) => [KNOWN, WORMHOLE].includes(spaceOf(region.region_id)));
  const taken = new Set(Object.values(HUBS).map((hub) => hub.constellation));
  const next = new Map<number, number>();
  const count = Math.max(size.constellations, regions.length);
  for (let index = 0; index < count; index++) {
    const region = regions[index] ?? growing[index % growing.length];
    if (!region) break; // all regions are special ones
    const space = spaceOf(region.region_id);
    let id = next.get(space) ?? (space + 10) * 1_000_000 + 1; // region 10xxxxxx holds 20xxxxxx
    while (taken.has(id)) id++;
    next.set(space, id + 1);
    addConstellation(universe, region, id, random);
  }
}

/** How many systems each kind of space gets. Known space gets the rest. */
function quotas(size: UniverseSize, spaces: ReadonlySet<number>): Map<number, number> {
  const small = size.systems < 1_000;
  const fixed: [number, number][] = small
    ? [
        [WORMHOLE, 2],
        [PLEX, 1],
      ]
    : [
        [WORMHOLE, 2_604],
        [12, 200],
        [14, 200],
        [PLEX, 54],
      ]; // counts of 2026
  const result = new Map(fixed.filter(([space]) => spaces.has(space)));
  for (const space of spaces) if (space !== KNOWN && !result.has(space)) result.set(space, 1);
  const used = [...result.values()].reduce((sum, count) => sum + count, 0);
  if (spaces.has(KNOWN)) result.set(KNOWN, Math.max(size.systems - used, 1));
  return result;
}

function makeSystem(id: number, name: string, home: ConstellationRow, random: Random): SystemRow {
  const space = spaceOf(home.region_id);
  const base = { constellation_id: home.constellation_id, name, position: position(random), system_id: id };
  if (space !== KNOWN && space !== WORMHOLE) return { ...base, security_status: -1 };
  const planets = Array.from({ length: between(random, 3, 11) }, (_, index) => {
    const planet = 40_000_000 + (id % 1_000_000) * 100 + space * 100_000_000 + index * 8;
    const moons = Array.from({ length: between(random, 0, 7) }, (_unused, moon) => planet + 1 + moon);
    return { planet_id: planet, ...(moons.length > 0 ? { moons } : {}) };
  });
  return {
    ...base,
    planets,
    ...(random() < 0.3 && space === KNOWN ? { security_class: pick(random, ['A', 'B1', 'C2', 'D']) } : {}),
    security_status: space === WORMHOLE ? -1 : Math.min(1, random() * 2 - 1),
    star_id: 40_000_000 + (id % 1_000_000) * 100 + 99 + space * 100_000_000,
    ...(space === KNOWN ? { stargates: [50_000_000 + (id % 1_000_000)] } : {}),
  };
}

function fillSystems(universe: Universe, size: UniverseSize, random: Random): void {
  const bySpace = new Map<number, ConstellationRow[]>();
  for (const row of universe.constellations.values()) {
    const space = spaceOf(row.region_id);
    bySpace.set(space, [...(bySpace.get(space) ?? []), row]);
  }
  const hubs = new Map(Object.values(HUBS).map((hub) => [hub.constellation, hub]));
  const taken = new Set(Object.values(HUBS).map((hub) => hub.system));
  for (const [space, count] of quotas(size, new Set(bySpace.keys()))) {
    const homes = bySpace.get(space) as ConstellationRow[];
    let next = (space + 20) * 1_000_000 + (space === PLEX ? -8_899_999 : 1); // 30, 31, 32, 34; PLEX 301xxxxx
    for (let index = 0; index < Math.max(count, homes.length); index++) {
      const home = homes[index % homes.length] as ConstellationRow;
      const hub = home.systems.length === 0 ? hubs.get(home.constellation_id) : undefined;
      while (taken.has(next)) next++;
      const id = hub?.system ?? next++;
      const name = hub?.name ?? (space === WORMHOLE ? `J${100_000 + index}` : word(random));
      home.systems.push(id);
      universe.systems.set(id, makeSystem(id, name, home, random));
    }
  }
}

/** Adds regions, constellations, systems and stations. */
export function fillMap(
  universe: Universe,
  size: UniverseSize,
  regionIds: readonly number[],
  random: Random,
): void {
  for (const id of regionIds) {
    const name =
      REGION_NAMES[id] ?? (spaceOf(id) === KNOWN ? `${word(random)} Reach` : `R-${id % 1_000_000}`);
    const described = random() < 0.6; // 43 of 112 have no description
    universe.regions.set(id, {
      constellations: [],
      ...(described ? { description: prose(random, between(random, 200, 1_200)) } : {}),
      name,
      region_id: id,
    });
  }
  fillConstellations(universe, size, random);
  fillSystems(universe, size, random);
  fillStations(universe, size, random);
}
