import { silentLog } from '../../src/lib/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { type StoredState, TokenBucket } from '../../src/esi/limits/token-bucket.ts';
import { deleteIdleBuckets, postgresBucketStore } from '../../src/store/limits/rate-limit-store.ts';
import { migrate } from '../../src/store/migrate.ts';
import { median, rounded } from './report.ts';
import type { Measured } from './measure-parts.ts';
import type { BenchServers } from './bench-servers.ts';

const USERS = 10_000;
const GROUPS = 20;
const LIMIT = { tokens: 600, windowMs: 900_000 };

/** Transactions measured after as many for warm-up: enough for a median and a tail. */
const TRANSACTIONS = 3_000;

/** Measures 10,000 users with 20 groups each: a transaction with a random bucket, the table's size, and the deletion of idle buckets. */
export async function measureManyBuckets(servers: BenchServers): Promise<Measured> {
  await servers.admin('CREATE DATABASE buckets');
  const url = servers.databaseUrl('buckets');
  await migrate(url, new Date());
  const db = openDatabase({ url, maxConnections: 5, minConnections: 1, log: silentLog });
  try {
    await db.pool.query(
      `INSERT INTO esi_buckets (bucket, state, updated_at)
       SELECT 'group' || g || '/user' || u,
              jsonb_build_object('slots', jsonb_build_array(jsonb_build_array(extract(epoch FROM now()) * 1000, 20, 'w')),
                                 'externalUsage', 0, 'externalUsageAt', 0), now()
         FROM generate_series(1, $1::int) u, generate_series(1, $2::int) g`,
      [USERS, GROUPS],
    );
    await db.pool.query('VACUUM ANALYZE esi_buckets');
    const store = postgresBucketStore<StoredState>(db);
    const times: number[] = [];
    const heapBefore = process.memoryUsage().rss;
    for (let i = 0; i < 2 * TRANSACTIONS; i++) {
      const bucket = `group${(i % GROUPS) + 1}/user${((i * 7_919) % USERS) + 1}`; // a prime number spreads the users
      const started = performance.now();
      await store.update([bucket], (states, now) => {
        const limited = new TokenBucket(bucket, states.get(bucket), LIMIT, now);
        limited.reserve(`bench#${i}`, 5, 3);
        limited.complete(`bench#${i}`, 2, 5);
        states.set(bucket, limited.state);
      });
      if (i >= TRANSACTIONS) times.push(performance.now() - started);
    }
    const grown = (process.memoryUsage().rss - heapBefore) / 2 ** 20;
    const { rows } = await db.pool.query<{ mb: number }>(
      `SELECT pg_total_relation_size('esi_buckets') / 1048576.0::float8 AS mb`,
    );
    await db.pool.query(`UPDATE esi_buckets SET updated_at = now() - interval '1 day'`);
    let deleted = 0;
    for (let n = await deleteIdleBuckets(db); n > 0; n = await deleteIdleBuckets(db)) deleted += n;
    const ms = rounded(median(times));
    const what = `a transaction with ${(USERS * GROUPS).toLocaleString('en')} buckets`;
    return {
      lines: [
        {
          what,
          'median ms': ms,
          'p99 ms': rounded(times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0),
          'table MB': rounded(rows[0]!.mb),
          'process grew MB': rounded(grown),
          deleted,
        },
      ],
      bounds: [
        { demand: `${what}: median ms`, limit: 1, measured: ms },
        { demand: 'idle buckets that stay', limit: 0, measured: USERS * GROUPS - deleted },
      ],
      raw: { manyBuckets: { times: times.length, deleted } },
    };
  } finally {
    await db.close();
  }
}
