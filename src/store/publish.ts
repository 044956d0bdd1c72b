import type { PoolClient } from 'pg';
import type { Database } from './database.ts';
import { findUnknown } from './lookups.ts';
import * as sql from './merge.sql.ts';
import { ensurePartitions } from './partitions.ts';
import { type PublishedSet, writePublishedSet } from './published-sets.ts';
import { closeRun } from './runs.ts';
import { marketTypeSeries } from './series.sql.ts';
import { type SetSpec, stageTable } from './sets.ts';
import { checkOpen, count, lockPrevious, standsOn } from './stand.ts';
import { createStage, dropStage, keepRejected } from './stage.ts';

/** Room to join a region of half a million orders in memory; Postgres' default of 4 MB would spill it to disk. */
const JOIN_MEMORY = '96MB';

/** Postgres' code for a key that stands already. */
const UNIQUE_VIOLATION = '23505';

export interface PublishPlan {
  readonly runId: number;
  /** Last-Modified of the set: the moment it stands for. */
  readonly at: Date;
  readonly expires: Date | undefined;
  readonly pages: number;
  /** Pages that answered 304: their rows are taken from the set published last. */
  readonly notModified: readonly number[];
  /** Rows staged or carried over, rejected ones with a readable key included. */
  readonly rows: number;
  /** False: what is absent may still exist, nothing is removed. */
  readonly believeAbsence: boolean;
  readonly torn: string | undefined;
  readonly now: Date;
  /** Rows of the set that failed validation. */
  readonly rejected: number;
  /** Judges the counts before anything is written: why the set is not believed, or undefined. */
  readonly doubt: (counts: SetCounts, previous: PublishedSet | undefined) => string | undefined;
}

export interface SetCounts {
  readonly before: number;
  readonly gone: number;
}

export type PublishResult =
  | {
      readonly state: 'published' | 'unchanged';
      readonly inserted: number;
      readonly changed: number;
      readonly removed: number;
    }
  /** A newer set stands already. */
  | { readonly state: 'superseded' }
  /** Rows name ids that no table knows yet. Nothing was written. */
  | { readonly state: 'unknown-ids' }
  /** Pages answered 304 to ETags of another set than stands now. Nothing was written. */
  | { readonly state: 'stale' }
  /** A key stands twice in the set. Nothing was written. */
  | { readonly state: 'twice' }
  | { readonly state: 'doubted'; readonly why: string };

class Rollback extends Error {
  readonly result: PublishResult;
  constructor(result: PublishResult) {
    super('rolled back');
    this.result = result;
  }
}

/**
 * Publishes a staged set in one transaction: rows, superseded versions, series, ETags, the run and the target's newest
 * set. Publishers of one target queue on its row; whoever brings an older set than stands is told so.
 */
export async function publishSet(db: Database, spec: SetSpec, plan: PublishPlan): Promise<PublishResult> {
  if (plan.notModified.length > 0) await createStage(db, spec, plan.runId);
  // Ahead of the transaction: making a partition locks the whole series, and must not do so while a book is merged.
  if (spec.change.policy === 'snapshot') await ensurePartitions(db.pool, plan.at, 0);
  try {
    return await db.transaction(async (client) => {
      const previous = await lockPrevious(client, spec);
      await checkOpen(client, plan.runId);
      if (previous?.lastModified && previous.lastModified >= plan.at)
        throw new Rollback({ state: 'superseded' });
      if (!(await standsOn(client, plan, previous))) throw new Rollback({ state: 'stale' });
      await client.query(`SET LOCAL work_mem = '${JOIN_MEMORY}'`);
      if (previous && plan.notModified.length > 0) {
        await client.query(sql.carryOver(spec, previous.runId, plan.runId), [plan.notModified]);
      }
      const result = await merge(client, spec, plan, previous);
      await finish(client, spec, plan, previous, result);
      return result;
    });
  } catch (error) {
    if (error instanceof Rollback) return error.result;
    throw error;
  }
}

type Merged = {
  state: 'published' | 'unchanged';
  inserted: number;
  changed: number;
  removed: number;
  rows: number;
};

async function merge(
  client: PoolClient,
  spec: SetSpec,
  plan: PublishPlan,
  previous: PublishedSet | undefined,
): Promise<Merged> {
  if (plan.torn !== undefined) await client.query(sql.dropTwice(spec, plan.runId));
  if (spec.change.policy !== 'snapshot') return mergeVersions(client, spec, plan, previous);
  const before = await count(client, sql.countBook(spec));
  return (
    (before === 0 ? await mergeIntoEmpty(client, spec, plan) : undefined) ??
    mergeSnapshot(client, spec, plan, previous, before)
  );
}

/** The first set of a target. Undefined when some row did not go in: the other way finds out which and why. */
async function mergeIntoEmpty(
  client: PoolClient,
  spec: SetSpec,
  plan: PublishPlan,
): Promise<Merged | undefined> {
  if (plan.rejected > 0 || plan.torn !== undefined) return undefined;
  if (await findUnknown(client, spec, stageTable(plan.runId))) throw new Rollback({ state: 'unknown-ids' });
  await client.query('SAVEPOINT empty');
  const inserted = await insertAll(client, spec, plan);
  if (inserted !== plan.rows) {
    await client.query('ROLLBACK TO SAVEPOINT empty');
    return undefined;
  }
  await writeSeries(client, spec, plan.at, true);
  return {
    state: inserted > 0 ? 'published' : 'unchanged',
    inserted,
    changed: 0,
    removed: 0,
    rows: inserted,
  };
}

/** Rows inserted; undefined when a key stands twice in the set, or in the book of another target. */
async function insertAll(client: PoolClient, spec: SetSpec, plan: PublishPlan): Promise<number | undefined> {
  try {
    return (await client.query(sql.insertAll(spec, plan.runId), [plan.at])).rowCount ?? 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return undefined;
    throw error;
  }
}

async function mergeSnapshot(
  client: PoolClient,
  spec: SetSpec,
  plan: PublishPlan,
  previous: PublishedSet | undefined,
  before: number,
): Promise<Merged> {
  await client.query(sql.snapshotDiff(spec, plan.runId));
  if (!plan.believeAbsence) await client.query('DELETE FROM diff WHERE gone');
  const gone = await count(client, 'SELECT count(*) AS rows FROM diff WHERE gone');
  judge(plan, previous, { before, gone });
  const foreign = await rejectForeign(client, spec, plan);
  if (await findUnknown(client, spec, '(SELECT * FROM diff WHERE NOT gone)'))
    throw new Rollback({ state: 'unknown-ids' });
  if (spec.change.policy === 'snapshot' && spec.change.versions !== undefined) {
    await client.query(sql.archive(spec), [plan.at]);
  }
  const removed = (await client.query(sql.removeGone(spec))).rowCount ?? 0;
  const changed = (await client.query(sql.updateChanged(spec), [plan.at])).rowCount ?? 0;
  const inserted = (await client.query(sql.insertNew(spec), [plan.at])).rowCount ?? 0;
  const rows = before - removed + inserted;
  // Every key of a whole set now stands in the table once: fewer than were staged means some were staged twice. Where
  // rejected rows or unbelieved absences blur that sum, the stage itself is counted, which takes longer.
  const sumHolds = plan.rejected === 0 && plan.believeAbsence;
  if (
    plan.torn === undefined &&
    (sumHolds ? rows + foreign < plan.rows : await isTwice(client, spec, plan))
  ) {
    throw new Rollback({ state: 'twice' });
  }
  const touched = inserted + changed + removed > 0;
  if (touched) await writeSeries(client, spec, plan.at, false);
  return { state: touched ? 'published' : 'unchanged', inserted, changed, removed, rows };
}

/** Policies whose rows stay: a row per change of its key, or per key and day. */
async function mergeVersions(
  client: PoolClient,
  spec: SetSpec,
  plan: PublishPlan,
  previous: PublishedSet | undefined,
): Promise<Merged> {
  const before = previous?.rows ?? 0;
  judge(plan, previous, { before, gone: Math.max(0, before - plan.rows) });
  const daily = spec.change.policy === 'daily';
  await client.query(daily ? sql.dailyDiff(spec, plan.runId, plan.at) : sql.changesDiff(spec, plan.runId));
  if (await isTwice(client, spec, plan)) throw new Rollback({ state: 'twice' });
  if (await findUnknown(client, spec, 'diff')) throw new Rollback({ state: 'unknown-ids' });
  const changed = await count(client, 'SELECT count(*) AS rows FROM diff WHERE known');
  if (daily) await client.query(sql.correctDay(spec, plan.at));
  const seenAt = daily ? sql.dayOf(plan.at) : plan.at;
  const appended = (await client.query(sql.appendChanges(spec, daily), [seenAt])).rowCount ?? 0;
  const added = daily ? appended + changed : appended;
  return {
    state: added > 0 ? 'published' : 'unchanged',
    inserted: added - changed,
    changed,
    removed: 0,
    rows: plan.rows,
  };
}

async function isTwice(client: PoolClient, spec: SetSpec, plan: PublishPlan): Promise<boolean> {
  return (await count(client, sql.countTwice(spec, plan.runId))) > 0;
}

function judge(plan: PublishPlan, previous: PublishedSet | undefined, counts: SetCounts): void {
  const why = plan.doubt(counts, previous);
  if (why !== undefined) throw new Rollback({ state: 'doubted', why });
}

async function rejectForeign(client: PoolClient, spec: SetSpec, plan: PublishPlan): Promise<number> {
  const { rows } = await client.query<Record<string, unknown>>(sql.takeForeign(spec));
  const reason = `${spec.key.join(', ')}: stands in the book of another ${spec.targetId?.kind ?? 'target'}`;
  const rejected = rows.map((row) => ({ row, reason, key: undefined }));
  await keepRejected(client, spec, plan.runId, rejected, plan.now);
  return rows.length;
}

async function writeSeries(client: PoolClient, spec: SetSpec, at: Date, everyType: boolean): Promise<void> {
  if (spec.series === undefined || !spec.targetId) return;
  await client.query(marketTypeSeries(everyType), [spec.targetId.id, at]);
}

/** Bookkeeping of a publication: ETags become valid with the rows they stand for, the run is closed, its stage stays. */
async function finish(
  client: PoolClient,
  spec: SetSpec,
  plan: PublishPlan,
  previous: PublishedSet | undefined,
  merged: Merged,
): Promise<void> {
  const set = {
    runId: plan.runId,
    lastModified: plan.at,
    expires: plan.expires,
    pages: plan.pages,
    rows: merged.rows,
  };
  await writePublishedSet(client, spec.collector, spec.target, { ...set, version: undefined }, plan.now);
  await client.query(
    `INSERT INTO esi_cache (url, etag, updated_at) SELECT url, etag, $2 FROM stage.pages WHERE run_id = $1 AND etag IS NOT NULL
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
  if (previous && previous.runId > 0 && previous.runId !== plan.runId)
    await dropStage(client, previous.runId);
}
