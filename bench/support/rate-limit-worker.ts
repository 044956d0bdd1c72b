import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { EsiClient } from '../../src/esi/esi-client.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { postgresBucketStore } from '../../src/store/limits/rate-limit-store.ts';
import { BENCH_USER_AGENT } from './bench-engine.ts';
import type { RealTimeInput } from './real-time-limits.ts';

/** Requests that this worker sends at the same time. */
const CONCURRENCY = 8;

/** The minerals, which every simulated region trades. */
const TYPES = [34, 35, 36, 37, 38, 39, 40];

const input = JSON.parse(process.argv[2] ?? '{}') as RealTimeInput;
const db = openDatabase({ url: input.databaseUrl, maxConnections: 5, minConnections: 1, log: silentLog });
const rateLimiter = new SharedRateLimiter({
  store: postgresBucketStore(db),
  worker: `worker ${process.pid}`,
  throttle: { perMinute: 1_000_000 },
  transactionsPerSecond: 100, // as the product has it
  clock: systemClock,
  log: silentLog,
});
const esi = new EsiClient({
  baseUrl: input.esiUrl,
  userAgent: BENCH_USER_AGENT,
  rateLimiter,
  clock: systemClock,
  log: silentLog,
  downtime: false,
});

async function sendRequests(n: number): Promise<void> {
  for (let i = n; Date.now() < input.untilMs; i++) {
    try {
      const query = { type_id: String(TYPES[i % TYPES.length]) };
      await esi.get(
        input.route === '/status'
          ? { route: input.route }
          : { route: input.route, params: { region_id: 10_000_002 }, query },
      );
    } catch (error) {
      if (!(error instanceof EsiError)) throw error;
      const left = input.untilMs - Date.now();
      await systemClock.sleep(Math.max(1, Math.min(error.retryAfter ?? 100, left)));
    }
  }
}

await Promise.all(Array.from({ length: CONCURRENCY }, (_, n) => sendRequests(n)));
await rateLimiter.close();
await esi.close();
await db.close();
