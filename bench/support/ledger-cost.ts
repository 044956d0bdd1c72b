import { EsiClient } from '../../src/esi/esi-client.ts';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { postgresRateLimitStore } from '../../src/store/limits/rate-limit-store.ts';
import { migrate } from '../../src/store/migrate.ts';
import { FORGE, LATENCY, ORDERS } from './forge.ts';
import type { Measured } from './measured.ts';
import { median, rounded } from './report.ts';
import type { BenchServers } from './servers.ts';
import { unlimited } from './unlimited.ts';

/** Pairs of sweeps, with and without the rate limiter in turn, so that a machine that slows down slows both. */
const ROUNDS = 7;

const AGENT = 'eve-collector-bench (bench@example.com)';

/** Reads all pages of The Forge, as many at once as the client sends. */
async function sweep(esi: EsiClient): Promise<number> {
  const started = performance.now();
  const route = '/markets/{region_id}/orders';
  const ask = (page: number) =>
    esi.get({ route, params: { region_id: FORGE }, query: { order_type: 'all', page: String(page) } });
  const { pages } = await ask(1);
  await Promise.all(Array.from({ length: (pages ?? 1) - 1 }, (_, i) => ask(i + 2)));
  return (performance.now() - started) / 1_000;
}

/** The rate limiter's share of the time of an unlimited sweep of The Forge. */
export async function measureLedgerCost(servers: BenchServers): Promise<Measured> {
  const simulator = await servers.simulator(
    '--orders',
    String(ORDERS),
    '--region',
    String(FORGE),
    '--latency',
    LATENCY,
    '--no-limits',
    '--warm',
  );
  // What is measured is the rate limiter, not the bucket: ESI's own count must not run out over sixteen sweeps.
  await simulator.control('set-bucket', { group: 'market-order', tokens: 10_000_000 });
  await servers.admin('CREATE DATABASE cost');
  const url = servers.databaseUrl('cost');
  await migrate(url, new Date());
  const db = openDatabase({ url, maxConnections: 10, minConnections: 1, log: silentLog });
  const throttle = { perMinute: 1_000_000 };
  const createLimiter = () =>
    new SharedRateLimiter({
      store: postgresRateLimitStore(db),
      worker: `bench ${Math.random()}`,
      throttle,
      clock: systemClock,
      log: silentLog,
    });
  const times = { without: [] as number[], with: [] as number[] };
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      for (const kind of ['without', 'with'] as const) {
        const rateLimiter = kind === 'with' ? createLimiter() : unlimited;
        const esi = new EsiClient({
          baseUrl: simulator.url,
          userAgent: AGENT,
          rateLimiter,
          clock: systemClock,
          log: silentLog,
        });
        const seconds = await sweep(esi);
        if (round > 0) times[kind].push(seconds); // the first warms up
        await rateLimiter.close();
        await esi.close();
        await db.pool.query('DELETE FROM esi_buckets'); // the bucket of 12,000 holds ten sweeps
      }
    }
  } finally {
    await db.close();
    await simulator.stop();
  }
  const ratio = median(times.with.map((t, i) => t / times.without[i]!));
  const cost = rounded((ratio - 1) * 100);
  const what = 'unlimited sweep of The Forge';
  return {
    lines: [
      {
        what,
        'without s': rounded(median(times.without)),
        'with ledger s': rounded(median(times.with)),
        'cost %': cost,
      },
    ],
    bounds: [{ demand: `${what}: cost of the ledger, %`, limit: 5, measured: cost }],
    raw: { sweeps: times },
  };
}
