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
  cacheMs: number;
}

/** The snapshots of owners' data, by key. Each is taken at the first request, and again after it expires. */
export class SnapshotCache {
  readonly #snapshots = new Map<string, CachedSnapshot>();
  readonly #clock: Clock;
  readonly #maxSeconds: number;

  /** No snapshot is cached for more than `maxSeconds` seconds. */
  constructor(clock: Clock, maxSeconds: number) {
    this.#clock = clock;
    this.#maxSeconds = maxSeconds;
  }

  /** The snapshot that is served now. `make` reads the live state whenever a snapshot is taken. */
  read<T>(key: string, seconds: number, make: () => T): CachedSnapshot<T> {
    const known = this.#snapshots.get(key) as CachedSnapshot<T> | undefined;
    if (known && this.#clock.now() < known.expires.getTime()) return known;
    return this.#takeSnapshot(key, known, make, Math.min(seconds, this.#maxSeconds) * 1_000);
  }

  /** Takes new snapshots of all known keys that `accept` selects. */
  takeAll(accept: (key: string) => boolean): void {
    for (const [key, snapshot] of this.#snapshots)
      if (accept(key)) this.#takeSnapshot(key, snapshot, snapshot.make, snapshot.cacheMs);
  }

  /** No two snapshots have the same Last-Modified, which has whole seconds. */
  #takeSnapshot<T>(
    key: string,
    before: CachedSnapshot<T> | undefined,
    make: () => T,
    cacheMs: number,
  ): CachedSnapshot<T> {
    const snapshot: CachedSnapshot<T> = {
      value: make(),
      ...snapshotTimes(this.#clock.now(), cacheMs, before),
      version: (before?.version ?? 0) + 1,
      bodies: new Map(),
      before,
      make,
      cacheMs,
    };
    if (before) before.before = undefined; // one previous snapshot is enough
    this.#snapshots.set(key, snapshot);
    return snapshot;
  }
}
