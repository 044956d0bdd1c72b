export const DAY_MS = 86_400_000;

/** Static data and the market history change daily at 11:05 UTC. */
export const DAILY_UPDATE_MS = (11 * 60 + 5) * 60_000;

/** The cache times of content that changes at fixed intervals. */
export function periodicCacheTimes(
  now: number,
  length: number,
  offset = 0,
): { lastModified: Date; expires: Date } {
  const start = Math.floor((now - offset) / length) * length + offset;
  return { lastModified: new Date(start), expires: new Date(start + length) };
}
