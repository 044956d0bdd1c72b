import type { Admission, AdmitRequest, RateLimiter } from '../../src/esi/limits/admission.ts';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { RateLimitStore } from '../../src/lib/token-bucket.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Database } from '../../src/store/database.ts';
import { postgresRateLimitStore } from '../../src/store/limits/rate-limit-store.ts';
import type { DayClock } from './day-clock.ts';

/** What the product allows itself when nothing is set. */
const CEILING = { perMinute: 300, burst: 50 };

/** From us to ESI and back, as it is measured from Europe: what makes requests of one minute not be of one moment. */
const ROUND_TRIP = 150;

/** As the rate limiter itself reports: twice a second. */
const REPORT_EVERY = 500;

/**
 * The rate limit store dates by the database's own clock. Where it looks up names, that name means the time of the bench: the
 * statements stay the product's.
 */
export async function addClock({ pool }: Database): Promise<void> {
  await pool.query(`
    CREATE SCHEMA bench;
    CREATE FUNCTION bench.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
      $$ SELECT current_setting('bench.now')::timestamptz $$`);
}

const AT = `SELECT set_config('bench.now', $1, true), set_config('search_path', 'bench, public, pg_catalog', true)`;

/** The product's rate limit store, which is given the time before each sync. */
function ledgerAt(db: Database, clock: DayClock): RateLimitStore {
  return postgresRateLimitStore({
    ...db,
    transaction: (work) =>
      db.transaction(async (client) => {
        await client.query(AT, [new Date(clock.now()).toISOString()]);
        return work(client);
      }),
  });
}

/**
 * The product's rate limiter on its PostgreSQL store, in virtual time. Left out is the pacer of the process, whose clock is
 * real; the store has the same limit.
 */
export function dayBudget(db: Database, clock: DayClock): RateLimiter {
  const rateLimiter = new SharedRateLimiter({
    store: ledgerAt(db, clock),
    worker: 'bench',
    throttle: CEILING,
    clock: clock.aside,
    log: silentLog,
  });
  let reporting = false;
  const reportLater = async () => {
    if (reporting) return;
    reporting = true;
    await clock.aside.sleep(REPORT_EVERY);
    reporting = false;
    rateLimiter['report'](); // what its timer does: that one is real, and would come hours of the day too late
  };
  const ended = (admission: Admission): Admission => ({
    complete: (...how) => (admission.complete(...how), void reportLater()),
    cancel: () => (admission.cancel(), void reportLater()),
  });
  return {
    async admit(request: AdmitRequest) {
      const admission = await clock.waiting(() => rateLimiter.admit(request));
      await clock.sleep(ROUND_TRIP);
      return ended(admission);
    },
    close: () => rateLimiter.close(),
  };
}
