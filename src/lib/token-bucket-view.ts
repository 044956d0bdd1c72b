import { type BucketState, expireUsage, usedTokens } from './token-bucket.ts';

/** A bucket as it is displayed. */
export interface BucketView {
  readonly bucket: string;
  readonly limit: number;
  readonly windowSeconds: number;
  /** Tokens spent within the window. */
  readonly used: number;
  /** Tokens leased by workers. */
  readonly leased: number;
  /** Tokens spent by other clients on this IP address. */
  readonly externalUsage: number;
  readonly free: number;
  /** When the next tokens become free (ms); undefined when nothing is spent. */
  readonly nextAt: number | undefined;
  /** Why nothing is granted at the moment. */
  readonly blocked: string | undefined;
  /** Tokens spent within the window, by worker. */
  readonly spenders: Readonly<Record<string, number>>;
}

/** Reads a bucket for display without changing it. */
export function viewBucket(bucket: string, stored: BucketState, now: number): BucketView {
  const limit = stored.limit ?? { tokens: 0, windowMs: 1 };
  const state = structuredClone(stored);
  expireUsage(state, limit, now);
  const { spent, leased } = usedTokens(state);
  const spenders: Record<string, number> = {};
  for (const [, tokens, worker] of state.slots) spenders[worker] = (spenders[worker] ?? 0) + tokens;
  const [oldest] = state.slots;
  return {
    bucket,
    limit: limit.tokens,
    windowSeconds: limit.windowMs / 1_000,
    used: spent,
    leased,
    externalUsage: state.externalUsage,
    free: state.blocked ? 0 : Math.max(0, limit.tokens - spent - leased - state.externalUsage),
    nextAt: oldest ? oldest[0] + limit.windowMs : undefined,
    blocked: state.blocked?.reason,
    spenders,
  };
}
