import { DAY, HOUR, MINUTE } from '../lib/duration.ts';

/** Times of the UTC day. Tranquility restarts at 11:00; static routes and market history are updated until about 11:15. */
const QUIET_FROM = 10 * HOUR + 58 * MINUTE;
const QUIET_TO = 11 * HOUR + 15 * MINUTE;
/** Before this time even a server that answers is about to shut down. */
const PROBE_FROM = 11 * HOUR + 2 * MINUTE;
const RESTART = 11 * HOUR;

/** Around the downtime ESI denies temporarily what it allows otherwise, so denials in this time are not recorded. */
const DENIES_FROM = 10 * HOUR + 55 * MINUTE;
const DENIES_TO = 11 * HOUR + 30 * MINUTE;

/** Whether a denial (403, 404) at `now` (ms) may be caused by the daily downtime only. */
export function mayDenyTemporarily(now: number): boolean {
  const time = now % DAY;
  return time >= DENIES_FROM && time < DENIES_TO;
}

/** The phase of the daily downtime at `now` (ms) and its end. In `probe`, /status tells whether the server is back. */
export function downtimePhase(now: number): { phase: 'open' | 'closed' | 'probe'; until: number } {
  const time = now % DAY;
  const midnight = now - time;
  if (time < QUIET_FROM || time >= QUIET_TO) return { phase: 'open', until: now };
  if (time < PROBE_FROM) return { phase: 'closed', until: midnight + PROBE_FROM };
  return { phase: 'probe', until: midnight + QUIET_TO };
}

/** Whether a /status body of the `probe` phase shows that today's restart is over and everybody may log in. */
export function isServerBack(status: unknown, now: number): boolean {
  if (typeof status !== 'object' || status === null) return false;
  const { start_time: started, vip } = status as { start_time?: unknown; vip?: unknown };
  if (vip === true || typeof started !== 'string') return false;
  return Date.parse(started) >= now - (now % DAY) + RESTART;
}
