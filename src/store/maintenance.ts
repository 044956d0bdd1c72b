import { HOUR } from '../lib/duration.ts';
import type { Database } from './database.ts';
import { deleteUnusedAnswers } from './esi-answers.ts';
import { deleteIdleBuckets } from './limits/rate-limit-store.ts';
import { dropPartitionsBefore, ensurePartitions } from './partitions.ts';
import { ABANDONED } from './sets/runs.ts';

/** How long each series is retained, in milliseconds; undefined: for ever. */
export interface Retention {
  readonly orderChanges: number | undefined;
  readonly typeSeries: number | undefined;
  readonly prices: number | undefined;
  readonly runs: number | undefined;
  readonly rejected: number | undefined;
}

/**
 * Creates the partitions of the coming months and deletes what exceeds its retention: partitioned series by whole months,
 * prices except the newest row of each type, closed runs. Safe to repeat and to run twice at once.
 */
export async function maintain(
  db: Database,
  retention: Retention,
  now: Date,
): Promise<{ dropped: string[] }> {
  const before = (ms: number) => new Date(now.getTime() - ms);
  await ensurePartitions(db.pool, now);
  await deleteIdleBuckets(db);
  await closeAbandonedRuns(db, now);
  await dropUnusedStages(db);
  await deleteUnusedEtags(db, now);
  await deleteUnusedAnswers(db, now);
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

/** Twice the longest run. A run that is still open was killed, and its target is not collected any more. */
const ABANDONED_AFTER = 48 * HOUR;

async function closeAbandonedRuns(db: Database, now: Date): Promise<void> {
  await db.prisma.collectionRun.updateMany({
    where: { finished_at: null, started_at: { lt: new Date(now.getTime() - ABANDONED_AFTER) } },
    data: { finished_at: now, outcome: 'failed', error: ABANDONED },
  });
}

/** The condition that no published snapshot uses the run of `alias`, and that it was closed more than a day ago. */
const isUnused = (alias: string) =>
  `${alias}.run_id NOT IN (SELECT run_id FROM published_sets)
   AND NOT EXISTS (SELECT FROM collection_runs r WHERE r.run_id = ${alias}.run_id
                      AND (r.finished_at IS NULL OR r.finished_at > now() - interval '1 day'))`;

/** Drops staging tables that neither an open run nor a published snapshot uses. Their targets are not collected any more. */
async function dropUnusedStages(db: Database): Promise<void> {
  const { rows } = await db.pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c
      CROSS JOIN LATERAL (SELECT substring(c.relname FROM '^r([0-9]+)')::bigint AS run_id) s
      WHERE c.relnamespace = 'stage'::regnamespace AND c.relkind = 'r' AND s.run_id IS NOT NULL
        AND ${isUnused('s')}`,
  );
  for (const { name } of rows) await db.pool.query(`DROP TABLE IF EXISTS stage.${name}`);
  for (const table of ['pages', 'enrichments', 'enrichment_attempts'])
    await db.pool.query(`DELETE FROM stage.${table} p WHERE ${isUnused('p')}`);
}

/** Deletes ETags of pages that are not staged any more. */
async function deleteUnusedEtags(db: Database, now: Date): Promise<void> {
  await db.pool.query(
    `DELETE FROM esi_cache e WHERE e.updated_at < $1::timestamptz - interval '1 day'
        AND NOT EXISTS (SELECT FROM stage.pages p WHERE p.url = e.url)`,
    [now],
  );
}
