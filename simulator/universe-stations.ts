import { between, pick, word, type Random } from './random.ts';
import type { StationRow, SystemRow, Universe } from './esi-rows.ts';
import type { UniverseSize } from './universe-size.ts';

/** The hubs' best-known stations: system, real id, planet, moon, owner and operation. */
const HUB_STATIONS: Record<number, readonly [number, number, number | undefined, string, string]> = {
  30000142: [60003760, 4, 4, 'Caldari Navy', 'Assembly Plant'],
  30002187: [60008494, 8, undefined, 'Emperor Family', 'Academy'],
  30002659: [60011866, 9, 20, 'Federation Navy', 'Assembly Plant'],
  30002510: [60004588, 6, 8, 'Brutor Tribe', 'Treasury'],
  30002053: [60005686, 8, 12, 'Boundless Creation', 'Factory'],
};
const TRADES = [
  'Assembly Plant',
  'Academy',
  'Treasury',
  'Factory',
  'Refinery',
  'Warehouse',
  'Bureau',
  'School',
];
const SERVICES = [
  'bounty-missions',
  'market',
  'reprocessing-plant',
  'fitting',
  'docking',
  'insurance',
  'news',
];
const FIRST_CORPORATION = 1_000_002;

const ROMAN = ['', 'I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX'];

/** Planet numbers stay below 20. */
function roman(value: number): string {
  return (value >= 10 ? 'X' : '') + (ROMAN[value % 10] as string);
}

function fillOwners(universe: Universe, size: UniverseSize, random: Random): void {
  TRADES.forEach((name, index) => universe.operations.set(index + 1, name));
  const known = Object.values(HUB_STATIONS).map(([, , , corporation]) => corporation);
  for (let index = 0; index < size.corporations; index++) {
    const name = known[index] ?? `${word(random)} ${pick(random, ['Corporation', 'Navy', 'Institute'])}`;
    universe.corporations.set(FIRST_CORPORATION + index, name);
  }
}

interface Site {
  id: number;
  system: SystemRow;
  planet: number;
  moon: number | undefined;
  corporation: number;
  operation: number;
}

/** Adds a station. Its name is composed as readers of the static data compose it, so both sources agree. */
function addStation(universe: Universe, site: Site, random: Random): void {
  const useOperationName = random() < 0.9 || site.system.system_id in HUB_STATIONS;
  const corporation = universe.corporations.get(site.corporation) as string;
  const operation = useOperationName ? ` ${universe.operations.get(site.operation) as string}` : '';
  const moon = site.moon === undefined ? '' : ` - Moon ${site.moon}`;
  const row: StationRow = {
    max_dockable_ship_volume: 50_000_000,
    name: `${site.system.name} ${roman(site.planet)}${moon} - ${corporation}${operation}`,
    office_rental_cost: 10_000,
    owner: site.corporation,
    position: { x: random() * 1e12, y: random() * 1e11, z: random() * 1e12 }, // within a system
    ...(random() < 0.94 ? { race_id: pick(random, [1, 2, 4, 8]) } : {}), // 294 owners have no race
    reprocessing_efficiency: 0.5,
    reprocessing_stations_take: 0.05,
    services: SERVICES,
    station_id: site.id,
    system_id: site.system.system_id,
    type_id: pick(random, [1_529, 1_932, 2_497, 2_498, 3_867, 4_024]), // station hulls
  };
  const planets = site.system.planets ?? [];
  const orbit = planets[(site.planet - 1) % Math.max(planets.length, 1)];
  universe.stations.set(site.id, row);
  universe.orbits.set(site.id, {
    operationID: site.operation,
    useOperationName,
    orbitID:
      (site.moon === undefined ? undefined : orbit?.moons?.[0]) ?? orbit?.planet_id ?? site.system.system_id,
    celestialIndex: site.planet,
    ...(site.moon === undefined ? {} : { orbitIndex: site.moon }),
  });
  site.system.stations = [...(site.system.stations ?? []), site.id];
}

function hubSite(system: SystemRow, universe: Universe): Site | undefined {
  const known = HUB_STATIONS[system.system_id];
  if (!known) return undefined;
  const [id, planet, moon, corporation, trade] = known;
  const owner = [...universe.corporations].find(([, name]) => name === corporation)?.[0] ?? FIRST_CORPORATION;
  return { id, system, planet, moon, corporation: owner, operation: TRADES.indexOf(trade) + 1 };
}

/** Adds stations in known space and one in the region of the PLEX market. */
export function fillStations(universe: Universe, size: UniverseSize, random: Random): void {
  fillOwners(universe, size, random);
  const systems = [...universe.systems.values()].filter(
    (system) => Math.floor(system.system_id / 1e6) === 30,
  );
  const taken = new Set(Object.values(HUB_STATIONS).map(([id]) => id));
  for (const system of systems) {
    const site = hubSite(system, universe);
    if (site) addStation(universe, site, random);
  }
  const plex = systems.find((system) => system.system_id >= 30_100_000); // the block of the PLEX region
  let next = 60_000_004; // the lowest station id observed
  for (let index = 0; universe.stations.size < size.stations; index++) {
    const spread = systems[(index * 7) % systems.length] as SystemRow; // 7 steps over neighbours
    const system = index === 0 && plex ? plex : spread;
    while (taken.has(next)) next++;
    addStation(
      universe,
      {
        id: next++,
        system,
        planet: between(random, 1, Math.max(system.planets?.length ?? 1, 1)),
        moon: random() < 0.7 ? between(random, 1, 12) : undefined,
        corporation: FIRST_CORPORATION + Math.floor(random() * size.corporations),
        operation: between(random, 1, TRADES.length),
      },
      random,
    );
  }
}
