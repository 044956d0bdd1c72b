import { DAY, MINUTE } from '../../lib/duration.ts';

/** Tranquility restarts daily at 11:00 UTC; static routes and market history roll until about 11:15. */
const QUIET_FROM = 10 * 60 + 58;
const QUIET_TO = 11 * 60 + 15;
/** Before this minute even a server that answers is about to go. */
const PROBE_FROM = 11 * 60 + 2;

/** Around the downtime ESI refuses for a while what it will allow again; what is learnt then is not worth remembering. */
const REFUSES_FROM = 10 * 60 + 55;
const REFUSES_TO = 11 * 60 + 30;

/** Whether a refusal (403, 404) at `now` (ms) may be one of the daily downtime alone. */
export function mayRefuseTemporarily(now: number): boolean {
  const minute = (now % DAY) / MINUTE;
  return minute >= REFUSES_FROM && minute < REFUSES_TO;
}

/** How the daily downtime bears on a request at `now` (ms): `open`, `closed`, or `probe` (ask /status first). */
export function downtimePhase(now: number): { phase: 'open' | 'closed' | 'probe'; until: number } {
  const midnight = Math.floor(now / DAY) * DAY;
  const minute = (now - midnight) / MINUTE;
  const at = (m: number) => midnight + m * MINUTE;
  if (minute < QUIET_FROM || minute >= QUIET_TO) return { phase: 'open', until: now };
  if (minute < PROBE_FROM) return { phase: 'closed', until: at(PROBE_FROM) };
  return { phase: 'probe', until: at(QUIET_TO) };
}

/** Whether a /status body read in the `probe` phase says that today's restart is over and everybody may come. */
export function serverIsBack(status: unknown, now: number): boolean {
  if (typeof status !== 'object' || status === null) return false;
  const { start_time: started, vip } = status as { start_time?: unknown; vip?: unknown };
  if (vip === true || typeof started !== 'string') return false;
  const midnight = Math.floor(now / DAY) * DAY;
  return Date.parse(started) >= midnight + 11 * 60 * MINUTE;
}
