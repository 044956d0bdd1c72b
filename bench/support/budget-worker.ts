import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { EsiClient } from '../../src/esi/esi-client.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { postgresRateLimitStore } from '../../src/store/limits/rate-limit-store.ts';
import type { RealTimeOrder } from './real-time.ts';

/** Requests that this worker has in flight. */
const CONCURRENCY = 8;

/** The five minerals and their kin: types that every simulated region trades. */
const TYPES = [34, 35, 36, 37, 38, 39, 40];

const order = JSON.parse(process.argv[2] ?? '{}') as RealTimeOrder;
const db = openDatabase({ url: order.databaseUrl, maxConnections: 5, minConnections: 1, log: silentLog });
const rateLimiter = new SharedRateLimiter({
  store: postgresRateLimitStore(db),
  worker: `worker ${process.pid}`,
  throttle: { perMinute: 1_000_000 },
  clock: systemClock,
  log: silentLog,
});
const esi = new EsiClient({
  baseUrl: order.esiUrl,
  userAgent: 'eve-collector-bench (bench@example.com)',
  rateLimiter,
  clock: systemClock,
  log: silentLog,
  downtime: false,
});

async function lane(n: number): Promise<void> {
  for (let i = n; Date.now() < order.untilMs; i++) {
    try {
      const query = { type_id: String(TYPES[i % TYPES.length]) };
      await esi.get(
        order.route === '/status'
          ? { route: order.route }
          : { route: order.route, params: { region_id: 10_000_002 }, query },
      );
    } catch (error) {
      if (!(error instanceof EsiError)) throw error;
      const left = order.untilMs - Date.now();
      await systemClock.sleep(Math.max(1, Math.min(error.retryAfter ?? 100, left)));
    }
  }
}

await Promise.all(Array.from({ length: CONCURRENCY }, (_, n) => lane(n)));
await rateLimiter.close();
await esi.close();
await db.close();
