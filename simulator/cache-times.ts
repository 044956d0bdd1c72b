export const DAY_MS = 86_400_000;
export const DAILY_UPDATE_MS = (11 * 60 + 5) * 60_000; // static data and the market's history roll at 11:05 UTC

/** Times of content that changes on a fixed periodicCacheTimes. */
export function periodicCacheTimes(
  now: number,
  length: number,
  offset = 0,
): { lastModified: Date; expires: Date } {
  const start = Math.floor((now - offset) / length) * length + offset;
  return { lastModified: new Date(start), expires: new Date(start + length) };
}
