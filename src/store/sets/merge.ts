import type { PoolClient } from 'pg';
import type { OpenList } from '../../collectors/vocabulary.ts';
import { findUnknown } from './references.ts';
import * as sql from './merge.sql.ts';
import * as owner from './owner-merge.sql.ts';
import { type PublishPlan, Rollback, type SetCounts } from './publish-plan.ts';
import type { PublishedSnapshot } from './published-snapshots.ts';
import { marketTypeSeries } from './series.sql.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';
import { count } from './preconditions.ts';
import { storeRejectedRows } from './rejected-rows.ts';

/** Postgres' code for a key that stands already. */
const UNIQUE_VIOLATION = '23505';

/** What a publication did, in rows. */
export type Merged = {
  state: 'published' | 'unchanged';
  inserted: number;
  changed: number;
  removed: number;
  rows: number;
};

/** Brings a staged set into its table by the change policy of its collector. */
export async function merge(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
): Promise<Merged> {
  const { change } = spec;
  // Rows that never change may well stand on two pages: while they were read, one moved on to the next.
  if (plan.torn !== undefined || change.policy === 'append')
    await client.query(sql.dropTwice(spec, plan.runId));
  if (change.policy === 'append' || change.policy === 'upsert')
    return mergeRows(client, spec, plan, previous);
  if (change.policy !== 'snapshot') return mergeVersions(client, spec, plan, previous);
  if (change.leaves !== undefined) return mergeListed(client, spec, plan, previous, change.leaves);
  const before = await count(client, sql.countBook(spec));
  // Where items are followed one by one, whatever comes after a first set is a change, even into an empty table.
  const first = change.diffs === undefined || !previous?.lastModified;
  return (
    (before === 0 && first ? await mergeIntoEmpty(client, spec, plan) : undefined) ??
    mergeSnapshot(client, spec, plan, previous, before)
  );
}

/** The first set of a target. Undefined when some row did not go in: the other way finds out which and why. */
async function mergeIntoEmpty(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
): Promise<Merged | undefined> {
  if (plan.rejected > 0 || plan.torn !== undefined) return undefined;
  if (await findUnknown(client, spec, stageTable(plan.runId), plan.runId))
    throw new Rollback({ state: 'unknown-ids' });
  await client.query('SAVEPOINT empty');
  const inserted = await insertAll(client, spec, plan);
  if (inserted !== plan.rows) {
    await client.query('ROLLBACK TO SAVEPOINT empty');
    return undefined;
  }
  await writeSeries(client, spec, plan, true);
  return {
    state: inserted > 0 ? 'published' : 'unchanged',
    inserted,
    changed: 0,
    removed: 0,
    rows: inserted,
  };
}

/** Rows inserted; undefined when a key stands twice in the set, or in the book of another target. */
async function insertAll(client: PoolClient, spec: SnapshotSpec, plan: PublishPlan): Promise<number | undefined> {
  try {
    return (await client.query(sql.insertAll(spec, plan.runId), [plan.at])).rowCount ?? 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return undefined;
    throw error;
  }
}

async function mergeSnapshot(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
  before: number,
): Promise<Merged> {
  await client.query(sql.snapshotDiff(spec, plan.runId));
  if (!plan.trustDeletions) await client.query('DELETE FROM diff WHERE gone');
  const gone = await count(client, 'SELECT count(*) AS rows FROM diff WHERE gone');
  judge(plan, previous, { before, gone });
  const foreign = await rejectRowsOfOtherTargets(client, spec, plan);
  if (await findUnknown(client, spec, '(SELECT * FROM diff WHERE NOT gone)', plan.runId))
    throw new Rollback({ state: 'unknown-ids' });
  if (spec.change.policy === 'snapshot' && spec.change.versions !== undefined) {
    await client.query(sql.archive(spec), [plan.at]);
  }
  if (spec.change.policy === 'snapshot' && spec.change.diffs !== undefined && previous?.lastModified) {
    await client.query(owner.insertAssetDiffs(spec), [plan.at, previous.lastModified, plan.now]);
  }
  const removed = (await client.query(sql.removeGone(spec))).rowCount ?? 0;
  const changed = (await client.query(sql.updateChanged(spec), [plan.at])).rowCount ?? 0;
  const inserted = (await client.query(sql.insertNew(spec), [plan.at])).rowCount ?? 0;
  const rows = before - removed + inserted;
  // Every key of a whole set now stands in the table once: fewer than were staged means some were staged twice. Where
  // rejected rows or unbelieved absences blur that sum, the stage itself is counted, which takes longer.
  const sumHolds = plan.rejected === 0 && plan.trustDeletions;
  if (
    plan.torn === undefined &&
    (sumHolds ? rows + foreign < plan.rows : await isTwice(client, spec, plan))
  ) {
    throw new Rollback({ state: 'twice' });
  }
  const touched = inserted + changed + removed > 0;
  if (touched) await writeSeries(client, spec, plan, false);
  return { state: touched ? 'published' : 'unchanged', inserted, changed, removed, rows };
}

/** Policies whose rows stay: a row per change of its key, or per key and day. */
async function mergeVersions(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
): Promise<Merged> {
  const before = previous?.rows ?? 0;
  judge(plan, previous, { before, gone: Math.max(0, before - plan.rows) });
  const daily = spec.change.policy === 'daily';
  await client.query(daily ? sql.dailyDiff(spec, plan.runId, plan.at) : sql.changesDiff(spec, plan.runId));
  if (await isTwice(client, spec, plan)) throw new Rollback({ state: 'twice' });
  if (await findUnknown(client, spec, 'diff', plan.runId)) throw new Rollback({ state: 'unknown-ids' });
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

/** Policies whose rows are added or replaced and never go. */
async function mergeRows(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
): Promise<Merged> {
  const upsert = spec.change.policy === 'upsert';
  await client.query((upsert ? owner.upsertDiff : owner.appendDiff)(spec, plan.runId));
  if (await isTwice(client, spec, plan)) throw new Rollback({ state: 'twice' });
  if (await findUnknown(client, spec, 'diff', plan.runId)) throw new Rollback({ state: 'unknown-ids' });
  const changed = upsert ? ((await client.query(sql.updateChanged(spec), [plan.at])).rowCount ?? 0) : 0;
  const inserted = (await client.query(owner.insertMissing(spec), [plan.at])).rowCount ?? 0;
  if (inserted > 0) await writeSeries(client, spec, plan, false);
  // What a list that shrank by half does not tell proves nothing; the next one, as short, does.
  const shrunk = plan.rows * 2 < (previous?.rows ?? 0);
  const tells = plan.torn === undefined && plan.rejected === 0 && !shrunk;
  const settled = tells ? await settle(client, spec, plan.at) : 0;
  return {
    state: inserted + changed + settled > 0 ? 'published' : 'unchanged',
    ...{ inserted, changed: changed + settled, removed: 0, rows: plan.rows },
  };
}

/** Decides what became of rows that left their list, see `settles`. Returns how many there were. */
export async function settle(client: PoolClient, spec: SnapshotSpec, at: Date): Promise<number> {
  const text = owner.settleLeft(spec);
  if (text === undefined) return 0;
  return (await client.query(text, [at, spec.collector, spec.target])).rowCount ?? 0;
}

/** A list that rows leave without going from the table. */
async function mergeListed(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  previous: PublishedSnapshot | undefined,
  leaves: OpenList,
): Promise<Merged> {
  const { state, toldFor } = leaves;
  const silence = plan.at.getTime() - (previous?.lastModified ?? plan.at).getTime();
  const before = await count(client, owner.countListed(spec, state));
  await client.query(owner.leavingDiff(spec, plan.runId, leaves, plan.at));
  if (!plan.trustDeletions) await client.query('DELETE FROM diff WHERE gone');
  const gone = await count(client, 'SELECT count(*) AS rows FROM diff WHERE gone');
  judge(plan, previous, { before, gone });
  if (await isTwice(client, spec, plan)) throw new Rollback({ state: 'twice' });
  if (await findUnknown(client, spec, '(SELECT * FROM diff WHERE NOT gone)', plan.runId))
    throw new Rollback({ state: 'unknown-ids' });
  const removed =
    (await client.query(owner.markLeft(spec, silence > toldFor ? 'unknown' : undefined), [plan.at]))
      .rowCount ?? 0;
  const changed = (await client.query(owner.updateListed(spec, state), [plan.at])).rowCount ?? 0;
  const inserted = (await client.query(owner.insertMissing(spec), [plan.at])).rowCount ?? 0;
  const rows = await count(client, owner.countListed(spec, state));
  const touched = inserted + changed + removed > 0;
  return { state: touched ? 'published' : 'unchanged', ...{ inserted, changed, removed, rows } };
}

async function isTwice(client: PoolClient, spec: SnapshotSpec, plan: PublishPlan): Promise<boolean> {
  return (await count(client, sql.countTwice(spec, plan.runId))) > 0;
}

function judge(plan: PublishPlan, previous: PublishedSnapshot | undefined, counts: SetCounts): void {
  const why = plan.doubt(counts, previous);
  if (why !== undefined) throw new Rollback({ state: 'doubted', why });
}

async function rejectRowsOfOtherTargets(client: PoolClient, spec: SnapshotSpec, plan: PublishPlan): Promise<number> {
  const text = sql.deleteRowsOfOtherTargets(spec);
  if (text === undefined) return 0;
  const { rows } = await client.query<Record<string, unknown>>(text);
  const reason = `${spec.key.join(', ')}: stands in the book of another ${spec.targetId?.kind ?? 'target'}`;
  const rejected = rows.map((row) => ({ row, reason, key: undefined }));
  await storeRejectedRows(client, spec, plan.runId, rejected, plan.now);
  return rows.length;
}

async function writeSeries(
  client: PoolClient,
  spec: SnapshotSpec,
  plan: PublishPlan,
  everyType: boolean,
): Promise<void> {
  if (spec.series === 'wallet_journal_gaps') {
    const [forget, find] = owner.findJournalGaps(spec);
    await client.query(forget);
    await client.query(find, [plan.now]);
  } else if (spec.series === 'market_type_series' && spec.targetId) {
    await client.query(marketTypeSeries(everyType), [spec.targetId.id, plan.at]);
  }
}
