import { type BucketStore, SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { type BucketView, viewBucket } from '../../src/esi/limits/bucket-view.ts';
import type { StoredState } from '../../src/esi/limits/token-bucket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { postgresBucketStore, readBuckets } from '../../src/store/limits/rate-limit-store.ts';
import { type TestDatabase, testDatabase } from './test-database.ts';

/** Requests a minute that no test reaches. */
export const LIFTED = 1_000_000;

/** A database and workers that share its rate limits. */
export interface SharedLimits {
  readonly db: TestDatabase;
  readonly store: BucketStore;
  worker(name: string, perMinute?: number, store?: BucketStore): SharedRateLimiter;
  view(bucket: string): Promise<BucketView>;
  /** Runs `close` before the database is dropped. */
  onClose(close: () => Promise<void>): void;
  close(): Promise<void>;
}

export async function sharedLimits(): Promise<SharedLimits> {
  const db = await testDatabase();
  const closing: (() => Promise<void>)[] = [];
  const sharedStore = postgresBucketStore<StoredState>(db);
  return {
    db,
    store: sharedStore,
    worker(name, perMinute = LIFTED, store = sharedStore) {
      const options = { worker: name, throttle: { perMinute }, clock: systemClock, log: silentLog };
      const rateLimiter = new SharedRateLimiter({ store, ...options });
      closing.push(() => rateLimiter.close());
      return rateLimiter;
    },
    async view(bucket) {
      const row = (await readBuckets<StoredState>(db)).find((found) => found.bucket === bucket);
      return viewBucket(row ?? { bucket, state: {}, now: 0 });
    },
    onClose: (close) => closing.push(close),
    async close() {
      for (const close of closing.toReversed()) await close();
      await db.drop();
    },
  };
}
