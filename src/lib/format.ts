import { DAY, HOUR, MINUTE, SECOND } from './duration.ts';

/** The age of a moment as people read it, e.g. `3 min ago`; `never` for null. */
export function formatAge(moment: string | null, now: Date): string {
  if (moment === null) return 'never';
  const age = Math.max(0, now.getTime() - Date.parse(moment));
  if (age < 90 * SECOND) return `${Math.round(age / SECOND)} s ago`;
  if (age < 90 * MINUTE) return `${Math.round(age / MINUTE)} min ago`;
  if (age < 36 * HOUR) return `${Math.round(age / HOUR)} h ago`;
  return `${Math.round(age / DAY)} days ago`;
}

/** An interval in milliseconds as people read it: `every 30 seconds`, `every minute`, `every 5 minutes`, `every 2 hours`. */
export function formatInterval(ms: number): string {
  const [unit, name] =
    ms % HOUR === 0
      ? ([HOUR, 'hour'] as const)
      : ms >= MINUTE
        ? ([MINUTE, 'minute'] as const)
        : ([SECOND, 'second'] as const);
  const count = ms / unit;
  return count === 1
    ? `every ${name}`
    : `every ${count.toLocaleString('en', { maximumFractionDigits: 1 })} ${name}s`;
}

/** A moment as people read it: `18:23 UTC`, with the day where it is not today's. */
export function formatTime(moment: Date, now: Date): string {
  const [day, time] = moment.toISOString().split('T') as [string, string];
  const clock = `${time.slice(0, 5)} UTC`;
  return day === now.toISOString().slice(0, 10) ? clock : `${day} ${clock}`;
}
