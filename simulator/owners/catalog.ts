import type { Universe } from '../esi-rows.ts';
import { structureId } from '../order-maker.ts';
import { CONTAINER_GROUPS, SHIP_CATEGORY } from '../universe-asset-types.ts';

/** The types that owners' assets have and the places where they can be. */
export interface Catalog {
  ships: number[];
  containers: number[];
  /** Types with a market. */
  marketTypes: number[];
  stations: number[];
  /** Those of the options, and some that no character has access to. */
  structures: number[];
  systems: number[];
  regionOf(locationId: number): number;
  systemOf(locationId: number): number | undefined;
  isNameable(typeId: number): boolean;
}

/** Structures of other owners that contain assets. */
const CLOSED = 5;

function typesOf(universe: Universe, accept: (groupId: number, categoryId: number) => boolean): number[] {
  const groups = new Set(
    [...universe.groups.values()]
      .filter((row) => accept(row.group_id, row.category_id))
      .map((row) => row.group_id),
  );
  return [...universe.types.values()].filter((row) => groups.has(row.group_id)).map((row) => row.type_id);
}

const isKnownSpace = (system: number): boolean => Math.floor(system / 1e6) === 30 && system < 30_100_000;

/** Reads a universe once for all owners. */
export function readCatalog(
  universe: Universe,
  structures: readonly { id: number; systemId: number }[],
  home: number,
): Catalog {
  const ships = typesOf(universe, (_group, category) => category === SHIP_CATEGORY);
  const containers = typesOf(universe, (group) => CONTAINER_GROUPS.includes(group));
  const nameable = new Set([...ships, ...containers]);
  const marketTypes = [...universe.types.values()].filter(
    (row) => row.published && row.market_group_id !== undefined && !nameable.has(row.type_id),
  );
  const systems = [...universe.systems.keys()].filter(isKnownSpace);
  const closed = systems.slice(0, CLOSED).map((system) => ({ id: structureId(system, 1), systemId: system }));
  const places = new Map<number, number>(
    [...structures, ...closed].map(({ id, systemId }) => [id, systemId]),
  );
  const systemOf = (location: number) => universe.stations.get(location)?.system_id ?? places.get(location);
  const regionOf = (location: number): number => {
    const system = universe.systems.get(systemOf(location) ?? home);
    return universe.constellations.get(system?.constellation_id ?? 0)?.region_id ?? 10_000_002; // The Forge
  };
  const stations = [...universe.stations.values()].filter((row) => isKnownSpace(row.system_id));
  return {
    ships,
    containers,
    marketTypes: marketTypes.map((row) => row.type_id),
    stations: stations.map((row) => row.station_id),
    structures: [...places.keys()],
    systems,
    regionOf,
    systemOf,
    isNameable: (typeId) => nameable.has(typeId),
  };
}
