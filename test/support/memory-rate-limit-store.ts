import { type BucketState, emptyBucket, exchange, type RateLimitStore } from '../../src/lib/token-bucket.ts';

/** Keeps buckets in memory: for one process, and where time is simulated. */
export function memoryRateLimitStore(
  now: () => number,
): RateLimitStore & { readonly buckets: Map<string, BucketState> } {
  const buckets = new Map<string, BucketState>();
  return {
    buckets,
    async exchange(asks) {
      return asks.map(({ bucket, limit, exchange: ask }) => {
        const state = buckets.get(bucket) ?? emptyBucket();
        buckets.set(bucket, state);
        return exchange(state, limit, ask, now());
      });
    },
  };
}
