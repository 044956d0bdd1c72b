import type { Clock } from './clock.ts';

/** A value from elsewhere, cached for a time. */
export interface CachedValue<T> {
  /** Returns the cached value, or loads a new one when it is too old. */
  get(): Promise<T>;
  /** Loads a new value. Calls during a load get its result. After a failure the cached value remains. */
  refresh(): Promise<T>;
}

/** Caches what `load` returns for `maxAge` milliseconds. At most one load runs at a time. */
export function cached<T>(clock: Clock, maxAge: number, load: () => Promise<T>): CachedValue<T> {
  let current: { loadedAt: number; value: T } | undefined;
  let loading: Promise<T> | undefined;
  const loadNew = async () => {
    const loadedAt = clock.now(); // before loading, so that the value never counts as newer than it is
    const value = await load();
    current = { loadedAt, value };
    return value;
  };
  const refresh = () => {
    loading ??= loadNew().finally(() => {
      loading = undefined;
    });
    return loading;
  };
  return {
    refresh,
    get: async () => (current && clock.now() - current.loadedAt < maxAge ? current.value : refresh()),
  };
}
