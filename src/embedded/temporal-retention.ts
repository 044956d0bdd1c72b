import { setRetention } from './temporal-namespace.ts';
import { usedBytes } from './temporal-state.ts';

const DAY = 24 * 3_600;

/** Closed runs are visible for a week. The development server's default of a day is too short to examine last night. */
const LONG_RETENTION = 7 * DAY;

/** The shortest that the server accepts. */
const SHORT_RETENTION = DAY;

/** Twice what the default settings make in a week: 2,000 runs a day of 26 KB, and 1,440 dispatches. A small disk can spare it. */
const DEFAULT_MAX_BYTES = 1e9;

/** The demo, with ten times the runs of the default settings, makes 45 MB an hour: the bound is exceeded by no more than that. */
const CHECK_MS = 3_600_000;

export interface RetentionOptions {
  /** Folder of the server's state. */
  readonly dir: string;
  readonly address: string;
  readonly namespace: string;
  /** Bytes of state from which on closed runs are retained for a day instead of a week. Default: 1 GB. */
  readonly maxBytes?: number | undefined;
}

/**
 * Retains closed runs for a week, or for a day while the state is larger than `maxBytes`: it then stays at that size, or at
 * what one day needs. Throws while the server is not ready.
 */
export async function applyRetention(options: RetentionOptions): Promise<void> {
  const isLarge = (await usedBytes(options.dir)) > (options.maxBytes ?? DEFAULT_MAX_BYTES);
  await setRetention(options.address, options.namespace, isLarge ? SHORT_RETENTION : LONG_RETENTION);
}

/** Applies the retention every hour, until the returned function is called. */
export function keepRetention(options: RetentionOptions): () => void {
  // A server that does not respond is restarted elsewhere; the next hour tries again.
  const timer = setInterval(() => void applyRetention(options).catch(() => undefined), CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
