import { LOW_PRIORITY } from '../facts/priorities.ts';
import { type Route, routes } from '../facts/routes.ts';
import { MINUTE } from '../../lib/duration.ts';
import type { BucketLimit } from '../../lib/token-bucket.ts';

/** A bucket that a request draws on: what it may cost at worst, and what an answer did cost. */
export interface Charge {
  /** Key of the ledger: group or limit, and the user it counts for. */
  readonly bucket: string;
  readonly limit: BucketLimit;
  readonly worst: number;
  /** Tokens of an answer's status; `undefined`: no answer came. */
  readonly cost: (status: number | undefined) => number;
}

export interface ThrottleSettings {
  readonly perMinute: number;
  /** Absent: nothing spreads them. */
  readonly burst?: number;
}

/** ESI's prices. A 5xx and a 429 cost nothing; an answer that never came may have cost as much as any. */
function groupCost(status: number | undefined): number {
  if (status === undefined) return 5;
  if (status === 429 || status >= 500) return 0;
  if (status >= 400) return 5;
  return status >= 300 ? 1 : 2;
}

/** The old limit counts errors alone: a hundred a minute close ESI for the address. We stop with a quarter in reserve. */
const ERRORS: BucketLimit = { tokens: 75, windowMs: MINUTE };

/** Requests at once against a hidden limit. */
const HIDDEN_BURST = 20;

/** Backfills leave a fifth of our ceiling to the current data, whatever happens. */
const LOW_SHARE = 0.8;

/** A limit of a route's group that ESI's own description gives, stricter than the shipped one. */
export interface StricterLimit {
  readonly name: string;
  readonly tokens: number;
  readonly windowSeconds: number;
}

/** The buckets that a request draws on: ESI's group or error limit, a hidden limit where there is one, and our ceiling. */
export function chargesFor(
  route: Route,
  user: string,
  priority: number,
  ceiling: ThrottleSettings,
  stricter?: StricterLimit,
): Charge[] {
  const fact = routes[route] as {
    group?: { name: string; tokens: number; windowSeconds: number };
    perMinute?: number;
  };
  const { perMinute } = fact;
  const group = stricter ?? fact.group;
  const one = () => 1;
  const draws: Charge[] = [
    group
      ? {
          bucket: `${group.name}/${user}`,
          limit: { tokens: group.tokens, windowMs: group.windowSeconds * 1_000 },
          worst: 5,
          cost: groupCost,
        }
      : {
          bucket: 'errors',
          limit: ERRORS,
          worst: 1,
          cost: (status) => (status === undefined || status >= 400 ? 1 : 0),
        },
    {
      bucket: 'ceiling',
      limit: {
        tokens: ceiling.perMinute,
        windowMs: MINUTE,
        ...(ceiling.burst === undefined ? {} : { burst: ceiling.burst }),
      },
      worst: 1,
      cost: one,
    },
  ];
  if (perMinute !== undefined) {
    // Nobody tells how it counts, so the minute is spent evenly.
    const limit = { tokens: perMinute, windowMs: MINUTE, burst: HIDDEN_BURST };
    draws.push({ bucket: `hidden ${route}`, limit, worst: 1, cost: one });
  }
  if (priority >= LOW_PRIORITY) {
    const tokens = Math.max(1, Math.floor(ceiling.perMinute * LOW_SHARE));
    draws.push({ bucket: 'ceiling for backfills', limit: { tokens, windowMs: MINUTE }, worst: 1, cost: one });
  }
  return draws;
}
