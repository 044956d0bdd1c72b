import { isReserved, OTHERS, type StoredState, TokenBucket } from './token-bucket.ts';

/** A bucket as it is displayed. */
export type BucketView = ReturnType<typeof viewBucket>;

/** Reads a stored bucket for display. `now` is the database's time (ms). */
export function viewBucket(row: { bucket: string; state: StoredState; now: number }) {
  const limit = row.state.limit ?? { tokens: 0, windowMs: 1 };
  const bucket = new TokenBucket(row.bucket, row.state, limit, row.now);
  const { slots, blocked } = bucket.state;
  const { tokens, windowMs } = bucket.limit;
  let leased = 0;
  const spenders: Record<string, number> = {};
  for (const slot of slots) {
    const [, spent, owner] = slot;
    if (isReserved(slot)) leased += spent;
    else spenders[owner] = (spenders[owner] ?? 0) + spent;
  }
  const { [OTHERS]: externalUsage = 0, ...ours } = spenders;
  return {
    bucket: row.bucket,
    limit: tokens,
    windowSeconds: windowMs / 1_000,
    used: Object.values(ours).reduce((sum, spent) => sum + spent, 0),
    /** Reserved for requests whose end is not reported. */
    leased,
    externalUsage,
    free: blocked ? 0 : Math.max(0, bucket.free),
    /** When the next tokens become free (ms); undefined when nothing is spent. */
    nextAt: slots[0] && slots[0][0] + windowMs,
    blocked: blocked?.reason,
    /** Tokens that each worker spent within the window. */
    spenders: ours,
  };
}
