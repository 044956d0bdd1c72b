import { bulkhead, type BulkheadPolicy } from 'cockatiel';
import type { Pool, PoolClient } from 'pg';
import type { Database } from '../database.ts';

/** Locks a character's login until the transaction ends: one refresh, login or deletion at a time, over all workers. */
export async function lockLogin(client: PoolClient, characterId: number): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`login/${characterId}`]);
}

/** One per pool, since each process has one pool. */
const refreshLimiters = new WeakMap<Pool, BulkheadPolicy>();

/** Each locked login holds a connection and needs another one, so at most half of the pool may be taken by them. */
function refreshLimiter(pool: Pool): BulkheadPolicy {
  const limiter =
    refreshLimiters.get(pool) ?? bulkhead(Math.max(1, Math.floor(pool.options.max / 2)), Infinity);
  refreshLimiters.set(pool, limiter);
  return limiter;
}

/**
 * Runs `work` while it holds the lock of a character's login. The row itself stays free, so that another connection can
 * commit what the SSO answers at once.
 */
export async function withLoginLock<T>(
  db: Database,
  characterId: number,
  work: () => Promise<T>,
): Promise<T> {
  return refreshLimiter(db.pool).execute(() =>
    db.transaction(async (client) => {
      await lockLogin(client, characterId);
      return work();
    }),
  );
}
