import type { PoolClient } from 'pg';
import {
  type BucketState,
  emptyBucket,
  exchange,
  isIdle,
  type RateLimitStore,
} from '../../lib/token-bucket.ts';
import type { Database } from '../database.ts';

interface BucketRow {
  bucket: string;
  state: BucketState;
  now: number;
}

/**
 * The ledger in Postgres: one row per bucket, exchanged under row locks taken in one order, on the database's clock, so
 * that it is exact over any number of workers whatever their clocks say. Committed before a token is handed out.
 */
export function postgresRateLimitStore(db: Database): RateLimitStore {
  return {
    exchange: (asks) =>
      db.transaction(async (client) => {
        const rows = await lockBuckets(
          client,
          asks.map((ask) => ask.bucket),
        );
        const now = Math.max(...rows.map((row) => row.now));
        const states = new Map(rows.map((row) => [row.bucket, row.state]));
        const grants = asks.map((ask) => exchange(states.get(ask.bucket)!, ask.limit, ask.exchange, now));
        await client.query(
          `UPDATE esi_buckets b SET state = u.state, updated_at = now()
             FROM json_to_recordset($1) AS u (bucket text, state jsonb) WHERE b.bucket = u.bucket`,
          [JSON.stringify([...states].map(([bucket, state]) => ({ bucket, state })))],
        );
        return grants;
      }),
  };
}

/** Locks the rows, making those that are missing. The time is read after each lock was had. */
async function lockBuckets(client: PoolClient, buckets: readonly string[]): Promise<BucketRow[]> {
  const wanted = [...new Set(buckets)].toSorted();
  for (;;) {
    const { rows } = await client.query<BucketRow>(
      `WITH locked AS MATERIALIZED
         (SELECT bucket, state FROM esi_buckets WHERE bucket = ANY($1) ORDER BY bucket FOR UPDATE)
       SELECT bucket, state, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now FROM locked`,
      [wanted],
    );
    if (rows.length === wanted.length) return rows;
    await client.query(
      `INSERT INTO esi_buckets (bucket, state) SELECT bucket, $2 FROM unnest($1::text[]) AS bucket ON CONFLICT DO NOTHING`,
      [wanted, JSON.stringify(emptyBucket())],
    );
  }
}

/** All buckets as they stand, for people and metrics. */
export async function readBuckets(
  db: Pick<Database, 'pool'>,
): Promise<{ bucket: string; state: BucketState; now: number }[]> {
  const { rows } = await db.pool.query<BucketRow>(
    `SELECT bucket, state, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now FROM esi_buckets ORDER BY bucket`,
  );
  return rows;
}

/** The longest window: a bucket that nobody has touched for twice as long has nothing to say. */
const FORGOTTEN_AFTER = '30 minutes';

/** Lets go buckets that say nothing any more: users who left, routes no longer asked. Returns how many. */
export async function forgetIdleBuckets(db: Database): Promise<number> {
  return db.transaction(async (client) => {
    const { rows } = await client.query<BucketRow>(
      `SELECT bucket, state, extract(epoch FROM now())::float8 * 1000 AS now FROM esi_buckets
        WHERE updated_at < now() - interval '${FORGOTTEN_AFTER}' ORDER BY bucket LIMIT 10000 FOR UPDATE SKIP LOCKED`,
    );
    const idle = rows
      .filter(({ state, now }) => isIdle({ ...state, slots: [], leases: {} }, now))
      .map((row) => row.bucket);
    await client.query(`DELETE FROM esi_buckets WHERE bucket = ANY($1)`, [idle]);
    return idle.length;
  });
}
