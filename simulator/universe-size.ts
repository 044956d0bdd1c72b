/** How many rows of each kind a universe has. */
export interface UniverseSize {
  types: number;
  groups: number;
  categories: number;
  marketGroups: number;
  schematics: number;
  constellations: number;
  systems: number;
  stations: number;
  corporations: number;
}

/** Enough of each kind for joins; a test starts in milliseconds. */
export const SMALL: UniverseSize = {
  types: 300,
  groups: 15,
  categories: 6,
  marketGroups: 20,
  schematics: 5,
  constellations: 12,
  systems: 40,
  stations: 60,
  corporations: 12,
};

/** The real universe's counts in 2026. */
export const FULL: UniverseSize = {
  types: 52_000,
  groups: 1_560,
  categories: 48,
  marketGroups: 2_004,
  schematics: 68,
  constellations: 1_184,
  systems: 8_490,
  stations: 5_210,
  corporations: 283,
};
