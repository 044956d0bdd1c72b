import type { Clock } from '../../src/lib/clock.ts';
import type { Body } from '../packed-body.ts';

/** What an owner route shows between two turns. */
export interface CachedSnapshot<T = unknown> {
  value: T;
  lastModified: Date;
  expires: Date;
  /** Counts the turns. */
  version: number;
  /** The answers that were packed from it, by page or other variant. */
  bodies: Map<string, Body>;
  /** What was shown before: what has not changed need not be packed again. */
  before: CachedSnapshot<T> | undefined;
  make: () => T;
  ageMs: number;
}

/** Everything that is shown of owners, by key: each is made when first asked for, and again after its time. */
export class SnapshotCache {
  readonly #shown = new Map<string, CachedSnapshot>();
  readonly #clock: Clock;
  readonly #longest: number;

  /** Nothing is kept for more than `longest` seconds. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /** What is served now; `make` reads the live state, whenever it turns. */
  read<T>(key: string, seconds: number, make: () => T): CachedSnapshot<T> {
    const known = this.#shown.get(key) as CachedSnapshot<T> | undefined;
    if (known && this.#clock.now() < known.expires.getTime()) return known;
    return this.#takeSnapshot(key, known, make, Math.min(seconds, this.#longest) * 1_000);
  }

  /** New snapshots now of all that was asked for under such keys. */
  takeAll(accept: (key: string) => boolean): void {
    for (const [key, shown] of this.#shown)
      if (accept(key)) this.#takeSnapshot(key, shown, shown.make, shown.ageMs);
  }

  /** No two snapshots share one Last-Modified, which has whole seconds. */
  #takeSnapshot<T>(
    key: string,
    before: CachedSnapshot<T> | undefined,
    make: () => T,
    ageMs: number,
  ): CachedSnapshot<T> {
    const second = Math.floor(this.#clock.now() / 1_000) * 1_000;
    const start = before ? Math.max(second, before.lastModified.getTime() + 1_000) : second;
    const shown: CachedSnapshot<T> = {
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
