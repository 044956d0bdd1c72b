import type { Clock } from '../../src/lib/clock.ts';
import { snapshotTimes, type CacheTimes } from '../cache-times.ts';
import type { Body } from '../packed-body.ts';

/** A snapshot that an owner route serves until the next one. */
export interface CachedSnapshot<T = unknown> extends CacheTimes {
  value: T;
  /** Counts the snapshots. */
  version: number;
  /** The packed answers, by page or other variant. */
  bodies: Map<string, Body>;
  /** The previous snapshot: what has not changed is not packed again. */
  before: CachedSnapshot<T> | undefined;
  make: () => T;
  ageMs: number;
}

/** The snapshots of owners' data, by key. Each is taken at the first request, and again after it expires. */
export class SnapshotCache {
  readonly #shown = new Map<string, CachedSnapshot>();
  readonly #clock: Clock;
  readonly #longest: number;

  /** No snapshot is cached for more than `longest` seconds. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /** The snapshot that is served now. `make` reads the live state whenever a snapshot is taken. */
  read<T>(key: string, seconds: number, make: () => T): CachedSnapshot<T> {
    const known = this.#shown.get(key) as CachedSnapshot<T> | undefined;
    if (known && this.#clock.now() < known.expires.getTime()) return known;
    return this.#takeSnapshot(key, known, make, Math.min(seconds, this.#longest) * 1_000);
  }

  /** Takes new snapshots now under all known keys that `accept` accepts. */
  takeAll(accept: (key: string) => boolean): void {
    for (const [key, shown] of this.#shown)
      if (accept(key)) this.#takeSnapshot(key, shown, shown.make, shown.ageMs);
  }

  /** No two snapshots have the same Last-Modified, which has whole seconds. */
  #takeSnapshot<T>(
    key: string,
    before: CachedSnapshot<T> | undefined,
    make: () => T,
    ageMs: number,
  ): CachedSnapshot<T> {
    const shown: CachedSnapshot<T> = {
      value: make(),
      ...snapshotTimes(this.#clock.now(), ageMs, before),
      version: (before?.version ?? 0) + 1,
      bodies: new Map(),
      before,
      make,
      ageMs,
    };
    if (before) before.before = undefined; // one previous snapshot is enough
    this.#shown.set(key, shown);
    return shown;
  }
}
