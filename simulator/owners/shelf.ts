import type { Clock } from '../../src/lib/clock.ts';
import type { Body } from '../body.ts';

/** What an owner route shows between two turns. */
export interface Shown<T = unknown> {
  value: T;
  lastModified: Date;
  expires: Date;
  /** Counts the turns. */
  version: number;
  /** The answers that were packed from it, by page or other variant. */
  bodies: Map<string, Body>;
  /** What was shown before: what has not changed need not be packed again. */
  before: Shown<T> | undefined;
  make: () => T;
  ageMs: number;
}

/** Everything that is shown of owners, by key: each is made when first asked for, and again after its time. */
export class Shelf {
  readonly #shown = new Map<string, Shown>();
  readonly #clock: Clock;
  readonly #longest: number;

  /** Nothing is kept for more than `longest` seconds. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /** What is served now; `make` reads the live state, whenever it turns. */
  show<T>(key: string, seconds: number, make: () => T): Shown<T> {
    const known = this.#shown.get(key) as Shown<T> | undefined;
    if (known && this.#clock.now() < known.expires.getTime()) return known;
    return this.#turn(key, known, make, Math.min(seconds, this.#longest) * 1_000);
  }

  /** New snapshots now of all that was asked for under such keys. */
  turn(accept: (key: string) => boolean): void {
    for (const [key, shown] of this.#shown) if (accept(key)) this.#turn(key, shown, shown.make, shown.ageMs);
  }

  /** No two snapshots share one Last-Modified, which has whole seconds. */
  #turn<T>(key: string, before: Shown<T> | undefined, make: () => T, ageMs: number): Shown<T> {
    const second = Math.floor(this.#clock.now() / 1_000) * 1_000;
    const start = before ? Math.max(second, before.lastModified.getTime() + 1_000) : second;
    const shown: Shown<T> = {
      value: make(),
      lastModified: new Date(start),
      expires: new Date(start + ageMs),
      version: (before?.version ?? 0) + 1,
      bodies: new Map(),
      before,
      make,
      ageMs,
    };
    if (before) before.before = undefined; // one is enough
    this.#shown.set(key, shown);
    return shown;
  }
}
