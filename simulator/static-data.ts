import type { Clock } from '../src/lib/clock.ts';
import { isoSeconds } from './order-maker.ts';
import type { Kind, Universe, UniverseRows } from './esi-rows.ts';

/** A build number of 2026. */
const FIRST_BUILD = 3_528_119;

/** The static part of the simulated game: the universe, and what the static data export and ESI have of it. */
export class StaticData {
  readonly universe: Universe;
  /** Counts the changes of static data. */
  staticVersion = 1;
  build = FIRST_BUILD;
  buildDate: string;
  readonly #clock: Clock;
  readonly #hidden = new Set<string>();
  readonly #forgotten = new Set<string>();

  constructor(universe: Universe, clock: Clock) {
    this.universe = universe;
    this.#clock = clock;
    this.buildDate = isoSeconds(clock.now());
  }

  get types() {
    return this.universe.types;
  }
  get groups() {
    return this.universe.groups;
  }
  get categories() {
    return this.universe.categories;
  }
  get marketGroups() {
    return this.universe.marketGroups;
  }
  get regions() {
    return this.universe.regions;
  }
  get constellations() {
    return this.universe.constellations;
  }
  get systems() {
    return this.universe.systems;
  }
  get stations() {
    return this.universe.stations;
  }
  get schematics() {
    return this.universe.schematics;
  }

  /** Removes the id from the static data export. ESI's route for single ids still has it. */
  hide(kind: Kind, id: number): void {
    this.#hidden.add(`${kind}/${id}`);
    this.touch();
  }

  /** Removes the id from the static data export and from ESI. */
  forget(kind: Kind, id: number): void {
    this.#forgotten.add(`${kind}/${id}`);
    this.touch();
  }

  /** Undoes `hide` and `forget`. */
  reveal(kind: Kind, id: number): void {
    this.#hidden.delete(`${kind}/${id}`);
    this.#forgotten.delete(`${kind}/${id}`);
    this.touch();
  }

  isHidden(kind: Kind, id: number): boolean {
    return this.#hidden.has(`${kind}/${id}`);
  }

  isForgotten(kind: Kind, id: number): boolean {
    return this.#forgotten.has(`${kind}/${id}`);
  }

  /** Adds or replaces a static row. */
  put<K extends Kind>(kind: K, id: number, row: UniverseRows[K]): void {
    (this.universe[kind] as Map<number, UniverseRows[K]>).set(id, row);
    this.touch();
  }

  /** Must be called after a row of the maps is changed in place: cached answers are rebuilt. */
  touch(): void {
    this.staticVersion++;
  }

  /** Publishes a new build of the static data export. */
  setBuild(build: number): void {
    this.build = build;
    this.buildDate = isoSeconds(this.#clock.now());
    this.touch();
  }
}
