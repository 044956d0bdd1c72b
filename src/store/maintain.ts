import type { Database } from './database.ts';
import { forgetIdleBuckets } from './ledger.ts';
import { dropPartitionsBefore, ensurePartitions } from './partitions.ts';

/** How long each series is kept, in milliseconds; undefined: for ever. */
export interface Retention {
  readonly orderChanges: number | undefined;
  readonly typeSeries: number | undefined;
  readonly prices: number | undefined;
  readonly runs: number | undefined;
  readonly rejected: number | undefined;
}

/**
 * Makes the partitions of the coming months and lets go what is older than it is to be kept: partitioned series by
 * whole months, of prices all but the newest row of each type, closed runs. Safe to repeat and to run twice at once.
 */
export async function maintain(
  db: Database,
  retention: Retention,
  now: Date,
): Promise<{ dropped: string[] }> {
  const before = (ms: number) => new Date(now.getTime() - ms);
  await ensurePartitions(db.pool, now);
  await forgetIdleBuckets(db);
  const dropped: string[] = [];
  const { orderChanges, typeSeries, prices, runs, rejected } = retention;
  if (orderChanges !== undefined) {
    dropped.push(...(await dropPartitionsBefore(db.pool, 'market_order_changes', before(orderChanges))));
  }
  if (typeSeries !== undefined) {
    dropped.push(...(await dropPartitionsBefore(db.pool, 'market_type_series', before(typeSeries))));
  }
  if (prices !== undefined) {
    await db.pool.query(
      `DELETE FROM market_prices p WHERE p.observed_at < $1
          AND EXISTS (SELECT FROM market_prices n WHERE n.type_id = p.type_id AND n.observed_at > p.observed_at
                         AND n.observed_at <= $1)`,
      [before(prices)],
    );
  }
  if (rejected !== undefined)
    await db.prisma.rejectedRow.deleteMany({ where: { seen_at: { lt: before(rejected) } } });
  if (runs !== undefined) {
    await db.pool.query(
      `DELETE FROM collection_runs r WHERE r.started_at < $1 AND r.finished_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM published_sets p WHERE p.run_id = r.run_id)`,
      [before(runs)],
    );
  }
  return { dropped };
}
