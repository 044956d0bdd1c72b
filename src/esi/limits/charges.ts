import { MINUTE } from '../../lib/duration.ts';
import { factOf, type Route, type RouteFact } from '../facts/routes.ts';
import type { BucketLimit } from './token-bucket.ts';

/** The bucket of the old error limit, of routes without a rate group. */
export const ERROR_BUCKET = 'error limit';

/** The bucket of our own limit on all requests. It has the name of its setting, because people see it. */
export const THROTTLE_BUCKET = 'ESI_RATE_LIMIT';

/** How the names of buckets of hidden limits begin. */
export const HIDDEN_LIMIT_PREFIX = 'hidden limit ';

/** What a request costs in one bucket. */
export interface Charge {
  /** Key of the bucket: group or limit, and the user that it counts for. */
  readonly bucket: string;
  readonly limit: BucketLimit;
  /** Tokens at worst, which are reserved before the request is sent. */
  readonly worst: number;
  /** Tokens by the status of the answer; undefined: no answer came. */
  readonly cost: (status: number | undefined) => number;
}

/** Our own limit on all requests to ESI. */
export interface ThrottleSettings {
  readonly perMinute: number;
  /** Requests at once; undefined: they are not spread. */
  readonly burst?: number | undefined;
}

/** ESI's prices. A 5xx and a 429 cost nothing; a missing answer may have cost as much as any. */
function groupCost(status: number | undefined): number {
  if (status === undefined) return 5;
  if (status === 429 || status >= 500) return 0;
  if (status >= 400) return 5;
  return status >= 300 ? 1 : 2;
}

/** The old limit counts errors only: 100 a minute block the IP address. A quarter stays in reserve. */
const ERROR_LIMIT: BucketLimit = { tokens: 75, windowMs: MINUTE };

const errorCost = (status: number | undefined) => (status === undefined || status >= 400 ? 1 : 0);

const requestCost = () => 1;

/** Requests at once against a hidden limit. */
const HIDDEN_BURST = 20;

/** A limit of a route's group from ESI's description, stricter than the shipped one. */
export type StricterLimit = NonNullable<RouteFact['group']>;

/**
 * What a request costs: in ESI's group or error limit, in our own limit, and in a hidden limit where there is one, in this
 * order.
 */
export function chargesFor(
  route: Route,
  user: string,
  throttle: ThrottleSettings,
  stricter?: StricterLimit,
): Charge[] {
  const fact = factOf(route);
  const group = stricter ?? fact.group;
  const charges: Charge[] = [
    group
      ? {
          bucket: `${group.name}/${user}`,
          limit: { tokens: group.tokens, windowMs: group.windowSeconds * 1_000 },
          worst: 5,
          cost: groupCost,
        }
      : { bucket: ERROR_BUCKET, limit: ERROR_LIMIT, worst: 1, cost: errorCost },
    {
      bucket: THROTTLE_BUCKET,
      limit: { tokens: throttle.perMinute, windowMs: MINUTE, burst: throttle.burst },
      worst: 1,
      cost: requestCost,
    },
  ];
  if (fact.perMinute !== undefined) {
    // How ESI counts is not published, so the minute is spent evenly.
    const limit = { tokens: fact.perMinute, windowMs: MINUTE, burst: HIDDEN_BURST };
    charges.push({ bucket: HIDDEN_LIMIT_PREFIX + route, limit, worst: 1, cost: requestCost });
  }
  return charges;
}
