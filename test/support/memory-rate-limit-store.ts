import type { BucketStore } from '../../src/esi/limits/rate-limiter.ts';
import type { StoredState } from '../../src/esi/limits/token-bucket.ts';

/** A store of token buckets in memory, for one process and a simulated clock. */
export function memoryRateLimitStore(now: () => number): BucketStore {
  const stored = new Map<string, string>();
  return {
    async update(buckets, change) {
      const states = new Map(buckets.map((b) => [b, JSON.parse(stored.get(b) ?? '{}') as StoredState]));
      const result = change(states, now());
      for (const [bucket, state] of states) stored.set(bucket, JSON.stringify(state));
      return result;
    },
  };
}
