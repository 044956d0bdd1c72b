import { type BucketState, emptyBucket, exchange, type LedgerStore } from './ledger.ts';

/** Keeps buckets in memory: for one process, and where time is simulated. */
export function memoryLedger(
  now: () => number,
): LedgerStore & { readonly buckets: Map<string, BucketState> } {
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
