import { createRandom, mixSeed } from './random.ts';
import type { Universe } from './esi-rows.ts';
import { fillItems } from './universe-items.ts';
import { fillMap } from './universe-map.ts';
import { FULL, SMALL } from './universe-size.ts';

/** The five hubs, another region of known space, a wormhole region, and the region of the global PLEX market. */
const SMALL_REGIONS = [
  10000002, 10000043, 10000032, 10000030, 10000042, 10000016, 11000001, 19000001,
] as const;

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** The 114 regions: known space without two unused numbers, wormholes, abyssal and void space, the PLEX market. */
function fullRegions(): number[] {
  const known = range(10000001, 70).filter((id) => id !== 10000024 && id !== 10000026);
  return [...known, 10001000, ...range(11000001, 33), ...range(12000001, 6), ...range(14000001, 5), 19000001];
}

/** Makes a universe. Regions in `extra` are added if it lacks them. */
export function createUniverse(kind: 'small' | 'full', seed: number, extra: readonly number[]): Universe {
  const size = kind === 'full' ? FULL : SMALL;
  const regionIds = [...new Set([...(kind === 'full' ? fullRegions() : SMALL_REGIONS), ...extra])];
  const universe: Universe = {
    types: new Map(),
    groups: new Map(),
    categories: new Map(),
    marketGroups: new Map(),
    regions: new Map(),
    constellations: new Map(),
    systems: new Map(),
    stations: new Map(),
    schematics: new Map(),
    orbits: new Map(),
    operations: new Map(),
    corporations: new Map(),
  };
  fillItems(universe, size, createRandom(mixSeed(seed, 1))); // the salts 1 and 2 only separate the two streams
  fillMap(universe, size, regionIds, createRandom(mixSeed(seed, 2)));
  return universe;
}
