import type { PoolClient } from 'pg';
import {
  type BucketState,
  emptyBucket,
  isIdle,
  type RateLimitStore,
  syncBucket,
} from '../../lib/token-bucket.ts';
import type { Database } from '../database.ts';

/** A bucket as stored, and the time of the database (ms). */
export interface StoredBucket {
  readonly bucket: string;
  readonly state: BucketState;
  readonly now: number;
}

/**
 * Rate limits in PostgreSQL, one row per bucket. Rows are locked in one order and dated by the database's clock, so that
 * the limits are exact over any number of workers, whatever their clocks say. A grant is committed before it is used.
 */
export function postgresRateLimitStore(db: Database): RateLimitStore {
  return {
    sync: (requests) =>
      db.transaction(async (client) => {
        const rows = await lockBuckets(
          client,
          requests.map(({ bucket }) => bucket),
        );
        const now = Math.max(...rows.map((row) => row.now));
        const states = new Map(rows.map((row) => [row.bucket, row.state]));
        const grants = requests.map(({ bucket, limit, sync }) =>
          syncBucket(states.get(bucket)!, limit, sync, now),
        );
        await client.query(
          `UPDATE esi_buckets b SET state = u.state, updated_at = now()
             FROM json_to_recordset($1) AS u (bucket text, state jsonb) WHERE b.bucket = u.bucket`,
          [JSON.stringify([...states].map(([bucket, state]) => ({ bucket, state })))],
        );
        return grants;
      }),
  };
}

/** Locks the rows and inserts missing ones. The time is read after each row is locked. */
async function lockBuckets(client: PoolClient, buckets: readonly string[]): Promise<StoredBucket[]> {
  const wanted = [...new Set(buckets)].toSorted();
  for (;;) {
    const { rows } = await client.query<StoredBucket>(
      `WITH locked AS MATERIALIZED
         (SELECT bucket, state FROM esi_buckets WHERE bucket = ANY($1) ORDER BY bucket FOR UPDATE)
       SELECT bucket, state, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now FROM locked`,
      [wanted],
    );
    if (rows.length === wanted.length) return rows.map(withDefaults);
    await client.query(
      `INSERT INTO esi_buckets (bucket, state) SELECT bucket, $2 FROM unnest($1::text[]) AS bucket ON CONFLICT DO NOTHING`,
      [wanted, JSON.stringify(emptyBucket())],
    );
  }
}

/** All buckets, for display and metrics. */
export async function readBuckets(db: Pick<Database, 'pool'>): Promise<StoredBucket[]> {
  const { rows } = await db.pool.query<StoredBucket>(
    `SELECT bucket, state, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now FROM esi_buckets ORDER BY bucket`,
  );
  return rows.map(withDefaults);
}

/** A bucket whose state another version has written may lack fields. */
const withDefaults = (row: StoredBucket): StoredBucket => ({
  ...row,
  state: { ...emptyBucket(), ...row.state },
});

/** Twice the longest window: usage and leases of a bucket that was not updated for this long have expired. */
const IDLE_AFTER = '30 minutes';

/** Deletes buckets of users and routes that are no longer requested. Returns how many. */
export async function deleteIdleBuckets(db: Database): Promise<number> {
  return db.transaction(async (client) => {
    const { rows } = await client.query<StoredBucket>(
      `SELECT bucket, state, extract(epoch FROM now())::float8 * 1000 AS now FROM esi_buckets
        WHERE updated_at < now() - interval '${IDLE_AFTER}' ORDER BY bucket LIMIT 10000 FOR UPDATE SKIP LOCKED`,
    );
    const idle = rows.filter(({ state, now }) => isIdle({ ...state, slots: [], leases: {} }, now));
    await client.query(`DELETE FROM esi_buckets WHERE bucket = ANY($1)`, [idle.map((row) => row.bucket)]);
    return idle.length;
  });
}
