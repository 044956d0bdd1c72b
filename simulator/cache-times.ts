export const DAY_MS = 86_400_000;

/** Static data and the market history change daily at 11:05 UTC. */
export const DAILY_UPDATE_MS = (11 * 60 + 5) * 60_000;

/** The times that the headers of a cached answer state. */
export interface CacheTimes {
  lastModified: Date;
  expires: Date;
}

/** The cache times of a snapshot taken at `now`. Headers have whole seconds, and no two snapshots share a Last-Modified. */
export function snapshotTimes(now: number, cacheMs: number, previous?: CacheTimes): CacheTimes {
  const second = Math.floor(now / 1_000) * 1_000;
  const start = previous ? Math.max(second, previous.lastModified.getTime() + 1_000) : second;
  return { lastModified: new Date(start), expires: new Date(start + cacheMs) };
}

/** The cache times of content that changes at fixed intervals. */
export function periodicCacheTimes(now: number, length: number, offset = 0): CacheTimes {
  const start = Math.floor((now - offset) / length) * length + offset;
  return { lastModified: new Date(start), expires: new Date(start + length) };
}
