import type { PoolClient } from 'pg';
import type { Database } from '../database.ts';
import { applyEnrichments } from './enrichments.ts';
import { type Merged, merge } from './merge.ts';
import * as sql from './merge.sql.ts';
import { ensurePartitions } from '../partitions.ts';
import { type PublishPlan, type PublishResult, Rollback } from './publish-plan.ts';
import { type PublishedSnapshot, writePublishedSnapshot } from './published-snapshots.ts';
import { closeRun } from './runs.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';
import { assertRunOpen, lockPublishedSnapshot, isBasedOn } from './preconditions.ts';
import { carryCounts, createStage, dropEnrichments, dropStage, dropStagedRows } from './stage.ts';

/** Room to join a region of half a million orders in memory; Postgres' default of 4 MB would spill it to disk. */
const JOIN_MEMORY = '96MB';

/**
 * Publishes a staged set in one transaction: rows, superseded versions, series, ETags, the run and the target's newest
 * set. Publishers of one target queue on its row; whoever brings an older set than stands is told so.
 */
export async function publishSnapshot(db: Database, spec: SnapshotSpec, plan: PublishPlan): Promise<PublishResult> {
  await createStage(db.pool, spec, plan.runId); // where every page answered 304 or was empty there is none yet
  // Ahead of the transaction: making a partition locks the whole series, and must not do so while a book is merged.
  if (spec.change.policy === 'snapshot' && spec.change.versions !== undefined)
    await ensurePartitions(db.pool, plan.at, 0);
  try {
    return await db.transaction(async (client) => {
      const previous = await lockPublishedSnapshot(client, spec);
      await assertRunOpen(client, plan.runId);
      if (previous?.lastModified && previous.lastModified >= plan.at)
        throw new Rollback({ state: 'superseded' });
      if (!(await isBasedOn(client, plan, previous))) throw new Rollback({ state: 'stale' });
      await client.query(`SET LOCAL work_mem = '${JOIN_MEMORY}'`);
      if (previous && plan.notModified.length > 0 && spec.keepsStage) {
        await client.query(sql.carryOver(spec, previous.runId, plan.runId), [plan.notModified]);
      }
      if (spec.details.length > 0 && !(await applyEnrichments(client, spec, plan.runId)))
        throw new Rollback({ state: 'unknown-ids' });
      const result = await merge(client, spec, plan, previous);
      await finish(client, spec, plan, previous, result);
      return result;
    });
  } catch (error) {
    if (error instanceof Rollback) return error.result;
    throw error;
  }
}

/** Bookkeeping of a publication: ETags become valid with the rows they stand for, the run is closed, its stage stays. */
async function finish(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
  merged: Merged,
): Promise<void> {
  const set = {
    runId: plan.runId,
    lastModified: plan.at,
    expires: plan.expires,
    pages: plan.pages,
    rows: merged.rows,
  };
  await writePublishedSnapshot(client, spec, { ...set, version: undefined }, plan.now);
  // What a torn set did not show was kept, so a 304 would confirm what ESI never said: all of it is read again.
  if (plan.torn !== undefined)
    await client.query('UPDATE stage.pages SET etag = NULL WHERE run_id = $1', [plan.runId]);
  // Twins that go backwards may have asked for the same page under two numbers.
  await client.query(
    `INSERT INTO esi_cache (url, etag, updated_at)
     SELECT DISTINCT ON (url) url, etag, $2::timestamptz FROM stage.pages WHERE run_id = $1 AND etag IS NOT NULL
      ORDER BY url, page
     ON CONFLICT (url) DO UPDATE SET etag = excluded.etag, updated_at = excluded.updated_at
      WHERE esi_cache.etag <> excluded.etag`,
    [plan.runId, plan.now],
  );
  await closeRun(
    client,
    plan.runId,
    {
      ...merged,
      outcome: plan.torn === undefined ? merged.state : 'torn',
      lastModified: plan.at,
      expires: plan.expires,
      error: plan.torn,
    },
    plan.now,
  );
  if (previous && previous.runId > 0 && previous.runId !== plan.runId) {
    await carryCounts(client, previous.runId, plan.runId);
    await dropStage(client, previous.runId);
  }
  if (spec.details.length > 0) await dropEnrichments(client, plan.runId);
  if (!spec.keepsStage) await dropStagedRows(client, plan.runId);
}
