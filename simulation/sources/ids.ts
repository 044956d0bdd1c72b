/** Ids of what all worlds of a database share. It is inserted once. */
export const SHARED = {
  types: Array.from({ length: 12 }, (_, index) => 34 + index),
  /** Of a group whose assembled items have names. */
  shipTypes: [587, 588, 589],
  system: 30_000_142,
  stations: [60_003_760, 60_003_761, 60_003_762],
  /** One that a double cannot hold. */
  structures: [1_035_466_617_946n, 9_001_300_000_000_000_123n],
} as const;

/** Ids of one world, apart from those of all other worlds of the database. */
export interface WorldIds {
  readonly region: number;
  readonly character: number;
  /** The first of a million ids of orders, items, rows of the journal and so on. */
  readonly first: number;
}

export const idsOf = (world: number): WorldIds => ({
  region: 10_000_000 + world,
  character: 90_000_000 + world,
  first: 1_000_000_000 + world * 1_000_000,
});

/** A moment as ESI writes it: whole seconds. */
export const isoSeconds = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
