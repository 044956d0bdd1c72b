import type { AdmitRequest, RateLimiter } from '../../src/esi/limits/admission.ts';
import { type BucketStore, SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Database } from '../../src/store/database.ts';
import { postgresBucketStore } from '../../src/store/limits/rate-limit-store.ts';
import type { DayClock } from './day-clock.ts';

/** The product's default limit on all requests. */
const CEILING = { perMinute: 300, burst: 50 };

/** The time of a request and its answer as measured from Europe. It spreads the requests of a minute. */
const ROUND_TRIP_MS = 150;

/**
 * The rate limiter's SQL uses the database's clock. A function of the same name in a schema of the bench returns the
 * virtual time, so the statements stay the product's.
 */
export async function addVirtualClock({ pool }: Database): Promise<void> {
  await pool.query(`
    CREATE SCHEMA bench;
    CREATE FUNCTION bench.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
      $$ SELECT current_setting('bench.now')::timestamptz $$`);
}

const AT = `SELECT set_config('bench.now', $1, true), set_config('search_path', 'bench, public, pg_catalog', true)`;

/** The product's store, with the virtual time set before each transaction. */
function rateLimitStoreAt(db: Database, clock: DayClock): BucketStore {
  return postgresBucketStore({
    transaction: (work) =>
      db.transaction(async (client) => {
        await client.query(AT, [new Date(clock.now()).toISOString()]);
        return work(client);
      }),
  });
}

/** The product's rate limiter on PostgreSQL, in virtual time. Its transactions are not limited, because that is in real time. */
export function dayRateLimiter(db: Database, clock: DayClock): RateLimiter {
  const limiter = new SharedRateLimiter({
    store: rateLimitStoreAt(db, clock),
    worker: 'bench',
    throttle: CEILING,
    clock: clock.background,
    log: silentLog,
  });
  return {
    async admit(request: AdmitRequest) {
      const admission = await clock.runWaiting(() => limiter.admit(request));
      await clock.sleep(ROUND_TRIP_MS);
      return admission;
    },
    close: () => limiter.close(),
  };
}
