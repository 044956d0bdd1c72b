import type { Clock } from './clock.ts';

/** A value from elsewhere that is kept for a while. */
export interface CachedValue<T> {
  /** The kept value, or a new one when it is too old. */
  get(): Promise<T>;
  /** A new value; whoever asks while it is on its way gets the same one. A failure leaves the kept value in place. */
  renew(): Promise<T>;
}

/** Keeps what `load` brings for `maxAge` milliseconds, and never loads twice at once. */
export function keep<T>(clock: Clock, maxAge: number, load: () => Promise<T>): CachedValue<T> {
  let kept: { at: number; value: T } | undefined;
  let coming: Promise<T> | undefined;
  const fetchNew = async () => {
    const at = clock.now(); // before loading: never taken for newer than it is
    const value = await load();
    kept = { at, value };
    return value;
  };
  const renew = () => {
    coming ??= fetchNew().finally(() => {
      coming = undefined;
    });
    return coming;
  };
  return {
    renew,
    get: async () => (kept && clock.now() - kept.at < maxAge ? kept.value : renew()),
  };
}
