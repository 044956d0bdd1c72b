import { EsiClient } from '../../src/esi/esi-client.ts';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { postgresBucketStore } from '../../src/store/limits/rate-limit-store.ts';
import { migrate } from '../../src/store/migrate.ts';
import { BENCH_USER_AGENT } from './bench-engine.ts';
import { FORGE, FORGE_SIMULATOR } from './measure-forge.ts';
import type { Measured } from './measure-parts.ts';
import { median, rounded } from './report.ts';
import type { BenchServers } from './bench-servers.ts';
import { unlimited } from './unlimited-rate-limiter.ts';

/** Pairs of reads with and without the rate limiter, alternating, so that a machine that slows down slows both. */
const PAIRS = 7;

/** Reads all pages of The Forge, as many at once as the client sends. Returns the seconds. */
async function readAllPages(esi: EsiClient): Promise<number> {
  const started = performance.now();
  const route = '/markets/{region_id}/orders';
  const read = (page: number) =>
    esi.get({ route, params: { region_id: FORGE }, query: { order_type: 'all', page: String(page) } });
  const { pages } = await read(1);
  await Promise.all(Array.from({ length: (pages ?? 1) - 1 }, (_, i) => read(i + 2)));
  return (performance.now() - started) / 1_000;
}

/** Measures what the rate limiter adds to the time of reading all orders of The Forge. */
export async function measureRateLimiterCost(servers: BenchServers): Promise<Measured> {
  const simulator = await servers.simulator(FORGE_SIMULATOR);
  // The rate limiter is measured, not the bucket, which must not run out over sixteen reads.
  await simulator.control('set-bucket', { group: 'market-order', tokens: 10_000_000 });
  await servers.admin('CREATE DATABASE cost');
  const url = servers.databaseUrl('cost');
  await migrate(url, new Date());
  const db = openDatabase({ url, maxConnections: 10, minConnections: 1, log: silentLog });
  const throttle = { perMinute: 1_000_000 };
  const createLimiter = () =>
    new SharedRateLimiter({
      store: postgresBucketStore(db),
      worker: `bench ${Math.random()}`,
      throttle,
      transactionsPerSecond: 100, // as the product has it
      clock: systemClock,
      log: silentLog,
    });
  const times = { without: [] as number[], with: [] as number[] };
  try {
    for (let round = 0; round <= PAIRS; round++) {
      for (const kind of ['without', 'with'] as const) {
        const rateLimiter = kind === 'with' ? createLimiter() : unlimited;
        const esi = new EsiClient({
          baseUrl: simulator.url,
          userAgent: BENCH_USER_AGENT,
          rateLimiter,
          clock: systemClock,
          log: silentLog,
        });
        const seconds = await readAllPages(esi);
        if (round > 0) times[kind].push(seconds); // the first pair is a warm-up
        await rateLimiter.close();
        await esi.close();
        await db.pool.query('DELETE FROM esi_buckets'); // the bucket of 12,000 tokens lasts for ten reads
      }
    }
  } finally {
    await db.close();
    await simulator.stop();
  }
  const ratio = median(times.with.map((t, i) => t / times.without[i]!));
  const cost = rounded((ratio - 1) * 100);
  const what = 'reading all orders of The Forge';
  return {
    lines: [
      {
        what,
        'without s': rounded(median(times.without)),
        'with limiter s': rounded(median(times.with)),
        'cost %': cost,
      },
    ],
    bounds: [{ demand: `${what}: cost of the rate limiter, %`, limit: 5, measured: cost }],
    raw: { rateLimiterCost: times },
  };
}
