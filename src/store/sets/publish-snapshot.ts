import type { PoolClient } from 'pg';
import type { Database } from '../database.ts';
import { ensurePartitions } from '../partitions.ts';
import { applyEnrichments, dropEnrichments, isEnriched } from './enrichments.ts';
import { mergeSnapshot } from './merge.ts';
import { isBasedOn, isRunOpen, lockPublishedSnapshot } from './preconditions.ts';
import { isMerged, type Merged, type PublishPlan, type PublishResult } from './publish-plan.ts';
import { type PublishedSnapshot, writePublishedSnapshot } from './published-snapshots.ts';
import { closeRun } from './runs.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';
import { carryRows, createStage, dropStage, dropStagedRows } from './stage.ts';

/** Memory to join a region of half a million orders; PostgreSQL's default of 4 MB would spill it to disk. */
const JOIN_MEMORY = '96MB';

/**
 * Publishes a staged snapshot in one transaction: rows, superseded versions, series, ETags, the run, and the target's
 * published snapshot. Publishers of one target run one after another. Anything but `published` and `unchanged` is rolled
 * back as a whole.
 */
export async function publishSnapshot(
  db: Database,
  spec: SnapshotSpec,
  plan: PublishPlan,
): Promise<PublishResult> {
  await createStage(db.pool, spec, plan.runId); // there is none where no row is new or changed
  // Before the transaction, because creating a partition locks the whole series.
  if (spec.change.policy === 'snapshot' && spec.change.versions !== undefined)
    await ensurePartitions(db.pool, plan.at, 0);
  return db.decideTransaction<PublishResult>(async (client) => {
    const previous = await lockPublishedSnapshot(client, spec);
    const result = await publish(client, spec, plan, previous);
    if (!isMerged(result)) return { commit: false, result };
    const merged = { ...result, note: notesOf(plan, result) };
    await finishPublication(client, spec, plan, previous, merged);
    return { commit: true, result: merged };
  });
}

async function publish(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
): Promise<PublishResult> {
  if (!(await isRunOpen(client, plan.runId))) return { state: 'closed' };
  if (previous?.lastModified && previous.lastModified >= plan.at) return { state: 'superseded' };
  if (!(await isBasedOn(client, plan, previous))) return { state: 'stale' };
  if (spec.enrichments.length > 0 && !(await isEnriched(client, plan.runId)))
    return { state: 'not-enriched' };
  await client.query(`SET LOCAL work_mem = '${JOIN_MEMORY}'`);
  await applyEnrichments(client, spec, plan.runId);
  return mergeSnapshot({ client, spec, plan, previous });
}

/** What the run has to say besides its outcome. */
function notesOf({ note, repeated }: PublishPlan, merged: Merged): string | undefined {
  const count = (repeated?.unchanged ?? 0) + (merged.repeated ?? 0);
  const counted = count === 0 ? [] : [`Rows that came more than once and count once: ${count}.`];
  return [...(note === undefined ? [] : [note]), ...counted].join(' ') || undefined;
}

/** Bookkeeping: ETags become valid with their rows, the run is closed, its stage and the pages before are dropped. */
async function finishPublication(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
  merged: Merged,
): Promise<void> {
  const published = {
    runId: plan.runId,
    lastModified: plan.at,
    expires: plan.expires,
    pages: plan.pages,
    rows: merged.rows,
    version: undefined,
    believed: plan.believed,
    keylessReadings: plan.keylessReadings,
  };
  await writePublishedSnapshot(client, spec, published, plan.now);
  // What a snapshot did not show was kept, so a 304 would confirm what ESI never said: every page is read again.
  if (plan.torn !== undefined || (spec.change.policy === 'snapshot' && !plan.trustDeletions))
    await client.query('UPDATE stage.pages SET etag = NULL WHERE run_id = $1', [plan.runId]);
  // Concurrent steps that page backwards may have requested the same page under two numbers.
  await client.query(
    `INSERT INTO esi_cache (url, etag, updated_at)
     SELECT DISTINCT ON (url) url, etag, $2::timestamptz FROM stage.pages WHERE run_id = $1 AND etag IS NOT NULL
      ORDER BY url, page
     ON CONFLICT (url) DO UPDATE SET etag = excluded.etag, updated_at = excluded.updated_at
      WHERE esi_cache.etag <> excluded.etag`,
    [plan.runId, plan.now],
  );
  const result = {
    ...merged,
    outcome: plan.torn === undefined ? merged.state : ('torn' as const),
    lastModified: plan.at,
    expires: plan.expires,
    error: plan.torn,
  };
  await closeRun(client, plan.runId, result, plan.now);
  if (previous && previous.runId > 0 && previous.runId !== plan.runId) {
    await carryRows(client, previous.runId, plan.runId);
    await dropStage(client, previous.runId);
  }
  if (spec.enrichments.length > 0) await dropEnrichments(client, plan.runId);
  await dropStagedRows(client, plan.runId);
}
