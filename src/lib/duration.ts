/** Milliseconds of each unit of time. */
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

const UNITS = { s: SECOND, m: MINUTE, h: HOUR, d: DAY } as const;

/** Converts `'10s' | '5m' | '1h' | '1d'` to milliseconds; undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd])$/.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}
