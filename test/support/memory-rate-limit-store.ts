import {
  type BucketState,
  emptyBucket,
  type RateLimitStore,
  syncBucket,
} from '../../src/lib/token-bucket.ts';

/** A store of token buckets in memory, for one process and a simulated clock. */
export function memoryRateLimitStore(
  now: () => number,
): RateLimitStore & { readonly buckets: Map<string, BucketState> } {
  const buckets = new Map<string, BucketState>();
  return {
    buckets,
    async sync(requests) {
      return requests.map(({ bucket, limit, sync }) => {
        const state = buckets.get(bucket) ?? emptyBucket();
        buckets.set(bucket, state);
        return syncBucket(state, limit, sync, now());
      });
    },
  };
}
