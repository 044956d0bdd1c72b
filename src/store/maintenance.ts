import type { Database } from './database.ts';
import { deleteIdleBuckets } from './limits/rate-limit-store.ts';
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
  await deleteIdleBuckets(db);
  await closeForgottenRuns(db, now);
  await dropForgottenStages(db);
  await forgetEtags(db, now);
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

/** Twice the longest run: who has not ended by then was killed, and its target is not collected any more. */
const FORGOTTEN_AFTER = 48 * 3_600_000;

async function closeForgottenRuns(db: Database, now: Date): Promise<void> {
  await db.prisma.collectionRun.updateMany({
    where: { finished_at: null, started_at: { lt: new Date(now.getTime() - FORGOTTEN_AFTER) } },
    data: { finished_at: now, outcome: 'failed', error: 'The run was ended from outside.' },
  });
}

/** Stages that no open run works on and no published set stands on: their targets are not collected any more. */
async function dropForgottenStages(db: Database): Promise<void> {
  const { rows } = await db.pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c
      CROSS JOIN LATERAL (SELECT substring(c.relname FROM '^r([0-9]+)')::bigint AS run_id) s
      WHERE c.relnamespace = 'stage'::regnamespace AND c.relkind = 'r' AND s.run_id IS NOT NULL
        AND s.run_id NOT IN (SELECT run_id FROM published_sets)
        AND NOT EXISTS (SELECT FROM collection_runs r WHERE r.run_id = s.run_id
                           AND (r.finished_at IS NULL OR r.finished_at > now() - interval '1 day'))`,
  );
  for (const { name } of rows) await db.pool.query(`DROP TABLE IF EXISTS stage.${name}`);
  for (const table of ['pages', 'enrichments', 'enrichment_attempts'])
    await db.pool.query(
      `DELETE FROM stage.${table} p WHERE p.run_id NOT IN (SELECT run_id FROM published_sets)
          AND NOT EXISTS (SELECT FROM collection_runs r WHERE r.run_id = p.run_id
                             AND (r.finished_at IS NULL OR r.finished_at > now() - interval '1 day'))`,
    );
}

/** An ETag is of use while the page it came with is known: pages of targets that are gone have theirs no more. */
async function forgetEtags(db: Database, now: Date): Promise<void> {
  await db.pool.query(
    `DELETE FROM esi_cache e WHERE e.updated_at < $1::timestamptz - interval '1 day'
        AND NOT EXISTS (SELECT FROM stage.pages p WHERE p.url = e.url)`,
    [now],
  );
}
