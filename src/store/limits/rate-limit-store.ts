import type { Database } from '../database.ts';

/** A bucket as stored, and the time of the database (ms). The rate limiter knows what a state means. */
export interface StoredBucket<State> {
  readonly bucket: string;
  readonly state: State;
  readonly now: number;
}

const NOW = 'extract(epoch FROM clock_timestamp())::float8 * 1000 AS now';

/**
 * Buckets of the rate limiter, one row each. Rows are locked in one order and dated by the database's clock, read after
 * each is locked, so that limits are exact over any number of workers, whatever their clocks say.
 */
export function postgresBucketStore<State extends object>(db: Pick<Database, 'transaction'>) {
  return {
    /** Lets `change` replace the states of these buckets in one transaction. Its result is returned after the commit. */
    update: <T>(buckets: readonly string[], change: (states: Map<string, State>, now: number) => T) =>
      db.transaction(async (client) => {
        const { rows } = await client.query<StoredBucket<State>>(
          `INSERT INTO esi_buckets AS b (bucket, state) SELECT bucket, '{}' FROM unnest($1::text[]) AS bucket ORDER BY bucket
             ON CONFLICT (bucket) DO UPDATE SET updated_at = now() RETURNING b.bucket, b.state, ${NOW}`,
          [buckets],
        );
        const states = new Map(rows.map(({ bucket, state }) => [bucket, state]));
        const result = change(states, Math.max(...rows.map(({ now }) => now)));
        await client.query(
          `UPDATE esi_buckets b SET state = u.state FROM json_to_recordset($1) AS u (bucket text, state jsonb)
            WHERE b.bucket = u.bucket`,
          [JSON.stringify([...states].map(([bucket, state]) => ({ bucket, state })))],
        );
        return result;
      }),
  };
}

/** All buckets, for display and metrics. */
export async function readBuckets<State>(db: Pick<Database, 'pool'>): Promise<StoredBucket<State>[]> {
  const sql = `SELECT bucket, state, ${NOW} FROM esi_buckets ORDER BY bucket`;
  return (await db.pool.query<StoredBucket<State>>(sql)).rows;
}

/**
 * Deletes buckets of users and routes that are no longer requested: twice the longest window after the last request all
 * its usage has ended. Blocks and stricter limits stay. Returns how many.
 */
export async function deleteIdleBuckets(db: Pick<Database, 'pool'>): Promise<number> {
  const { rowCount } = await db.pool.query(
    `DELETE FROM esi_buckets WHERE bucket IN
       (SELECT bucket FROM esi_buckets
         WHERE updated_at < now() - interval '30 minutes' AND NOT state ? 'stricterLimit'
           AND coalesce((state #>> '{blocked,until}')::float8, 0) <= extract(epoch FROM now()) * 1000
         FOR UPDATE SKIP LOCKED)`,
  );
  return rowCount ?? 0;
}
