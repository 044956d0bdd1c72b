import type { Call } from './esi-call.ts';

/** Requests that arrive within this time after a refusal were sent before the caller read it. */
export const GRACE_MS = 100;

/** A character that lacks a role may be tried once a day, not more often. */
const ROLE_MS = 86_400_000;

/** The permanent refusals of tokens and roles that callers have received. */
export interface KnownRefusals {
  /** Whether the caller knows that the token is refused for good. */
  isKnownRefused(call: Call, token: string): boolean;
  /** Records that the caller has learned that a token is refused for good. */
  recordRefusedToken(token: string): void;
  /** Records a refused role. Returns whether this character knew it for this route and corporation. */
  recordRoleRefusal(call: Call): boolean;
}

const isAfterGrace = (call: Call, since: number): boolean => call.arrived > since + GRACE_MS;

export function createKnownRefusals(): KnownRefusals {
  const refusedTokens = new Map<string, number>();
  const roles = new Map<string, { until: number; since: number }>();
  return {
    isKnownRefused: (call, token) => isAfterGrace(call, refusedTokens.get(token) ?? Number.POSITIVE_INFINITY),
    recordRefusedToken: (token) => {
      if (!refusedTokens.has(token)) refusedTokens.set(token, performance.now());
    },
    recordRoleRefusal: (call) => {
      const key = `${call.user} ${call.route} ${call.pathname.split('/')[2]}`;
      const known = roles.get(key);
      if (known && call.at < known.until) return isAfterGrace(call, known.since);
      roles.set(key, { until: call.at + ROLE_MS, since: performance.now() });
      return false;
    },
  };
}
