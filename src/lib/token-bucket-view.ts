import { type BucketState, expireUsage, usedTokens } from './token-bucket.ts';

/** A bucket as a person wants it. */
export interface BucketView {
  readonly bucket: string;
  readonly limit: number;
  readonly windowSeconds: number;
  /** Spent within the window, leased by workers, and spent by others on this address. */
  readonly used: number;
  readonly leased: number;
  readonly foreign: number;
  readonly free: number;
  /** When the next tokens come back (ms); undefined when nothing is spent. */
  readonly nextAt: number | undefined;
  readonly held: string | undefined;
  /** Who spent what in the window. */
  readonly spenders: Readonly<Record<string, number>>;
}

/** Looks at a bucket without touching it. */
export function viewBucket(bucket: string, given: BucketState, now: number): BucketView {
  const limit = given.limit ?? { tokens: 0, windowMs: 1 };
  const state = structuredClone(given);
  expireUsage(state, limit, now);
  const { spent, leased } = usedTokens(state);
  const spenders: Record<string, number> = {};
  for (const [, tokens, who] of state.slots) spenders[who] = (spenders[who] ?? 0) + tokens;
  const oldest = state.slots[0];
  return {
    bucket,
    limit: limit.tokens,
    windowSeconds: limit.windowMs / 1_000,
    used: spent,
    leased,
    foreign: state.foreign,
    free: state.held ? 0 : Math.max(0, limit.tokens - spent - leased - state.foreign),
    nextAt: oldest ? oldest[0] + limit.windowMs : undefined,
    held: state.held?.why,
    spenders,
  };
}
