import type { Call } from './call.ts';

export const GRACE_MS = 100; // requests that were sent before a refusal was read
const ROLE_MS = 86_400_000; // a role that is refused is not worth more than a question a day

/** What callers know about their tokens and roles because they were told. */
export interface Told {
  /** Whether a token is used that is known to be dead. */
  isDead(call: Call, token: string): boolean;
  /** A refusal has told that a token is dead. */
  dead(token: string): void;
  /** A role was refused: whether that has been told before, for this route, corporation and character. */
  again(call: Call): boolean;
}

const laterThan = (call: Call, since: number): boolean => call.arrived > since + GRACE_MS;

/** Nothing is told yet. */
export function createTold(): Told {
  const dead = new Map<string, number>();
  const roles = new Map<string, { until: number; since: number }>();
  return {
    isDead: (call, token) => laterThan(call, dead.get(token) ?? Number.POSITIVE_INFINITY),
    dead: (token) => {
      if (!dead.has(token)) dead.set(token, performance.now());
    },
    again: (call) => {
      const key = `${call.user} ${call.route} ${call.pathname.split('/')[2]}`;
      const known = roles.get(key);
      if (known && call.at < known.until) return laterThan(call, known.since);
      roles.set(key, { until: call.at + ROLE_MS, since: performance.now() });
      return false;
    },
  };
}
