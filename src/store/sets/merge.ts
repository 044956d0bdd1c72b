import type { OpenList } from '../../collectors/vocabulary.ts';
import { insertAssetDiffs } from './asset-diffs.sql.ts';
import { findJournalGaps } from './journal-gaps.sql.ts';
import { suspectLoss } from './loss-guard.ts';
import { marketTypeSeries } from './market-type-series.sql.ts';
import * as sql from './merge.sql.ts';
import * as openListSql from './open-list.sql.ts';
import { closeInferred } from './close-inferred.ts';
import type { MergeContext } from './merge-context.ts';
import { countOf } from './preconditions.ts';
import { isMerged, type Merged, type PublishPlan, type PublishResult } from './publish-plan.ts';
import { type StoredRow, storedRow } from './stored-rows.ts';
import { storeRejectedRows } from './rejected-rows.ts';
import { addRunCounts } from './runs.ts';

/** SQLSTATE of a key that exists. */
const UNIQUE_VIOLATION = '23505';

const DUPLICATE_KEY = { state: 'duplicate-key' } as const;

/**
 * Merges a staged snapshot into its table by the change policy of its collector. With any other result than `published`
 * and `unchanged` the transaction has to be rolled back.
 */
export async function mergeSnapshot(context: MergeContext): Promise<PublishResult> {
  const repeated = await removeRepeatedRows(context);
  if (repeated === undefined) return DUPLICATE_KEY;
  const result = await mergeDistinctRows(context, repeated);
  return isMerged(result) ? { ...result, repeated } : result;
}

/** `repeated`: rows of the plan that are not staged any more. */
async function mergeDistinctRows(context: MergeContext, repeated: number): Promise<PublishResult> {
  const { spec, plan, previous } = context;
  const { change } = spec;
  const distinct = { ...context, plan: { ...plan, rows: plan.rows - repeated } };
  if (change.policy === 'append' || change.policy === 'upsert') return mergeRows(distinct);
  if (change.policy !== 'snapshot') return mergeVersions(distinct);
  if (change.openList !== undefined) return mergeOpenList(context, change.openList);
  const before = await countPublished(context);
  // Where each change is recorded, whatever follows a first snapshot is a change, even into an empty table.
  const isFirst = change.diffs === undefined || !previous?.lastModified;
  const inserted = before === 0 && isFirst ? await insertFirst(context) : undefined;
  return inserted ?? mergeAgainstTable(context, before);
}

/** Inserts the first snapshot of a target. Undefined when a row was not inserted: the full merge finds out which. */
async function insertFirst(context: MergeContext): Promise<Merged | undefined> {
  const { client, plan } = context;
  if (plan.rejected > 0 || plan.torn !== undefined) return undefined;
  await client.query('SAVEPOINT first');
  const inserted = await insertAll(context);
  if (inserted !== plan.rows) {
    await client.query('ROLLBACK TO SAVEPOINT first');
    return undefined;
  }
  await writeSeries(context, true);
  return {
    state: inserted > 0 ? 'published' : 'unchanged',
    inserted,
    changed: 0,
    removed: 0,
    rows: inserted,
  };
}

/** Rows of the published snapshot. Counting those of The Forge would take a tenth of a second. */
const countPublished = async ({ client, spec, plan }: MergeContext): Promise<number> =>
  plan.compared?.publishedRows ?? countOf(client, sql.countRows(spec));

/** The number of rows inserted; undefined when two rows have one key, or another target's row has it. */
async function insertAll({ client, spec, plan }: MergeContext): Promise<number | undefined> {
  try {
    return (await client.query(sql.insertAll(spec, plan.runId), [plan.at])).rowCount ?? 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return undefined;
    throw error;
  }
}

async function mergeAgainstTable(context: MergeContext, before: number): Promise<PublishResult> {
  const { client, spec, plan, previous } = context;
  await client.query(sql.snapshotDiff(spec, plan.runId, absentRowsOf(plan)), [plan.compared?.absent]);
  const absent = await countAbsent(context);
  const reason = await suspectLoss(context, { before, absent });
  if (reason !== undefined) return { state: 'suspect', reason };
  await rejectRowsOfOtherTargets(context);
  const { change } = spec;
  if (change.policy === 'snapshot' && change.versions !== undefined)
    await client.query(sql.archiveVersions(spec), [plan.at]);
  if (change.policy === 'snapshot' && change.diffs !== undefined && previous?.lastModified)
    await client.query(insertAssetDiffs(spec), [plan.at, previous.lastModified, plan.now]);
  const removed = (await client.query(sql.deleteAbsent(spec))).rowCount ?? 0;
  const changed = await write(context, sql.updateChanged(spec));
  const inserted = await write(context, sql.insertNew(spec));
  const merged = mergedRows({ inserted, changed, removed, rows: before - removed + inserted.count });
  if (merged.state === 'published') await writeSeries(context, false);
  return merged;
}

const absentRowsOf = ({ compared }: PublishPlan): sql.AbsentRows => (compared ? 'listed' : 'not staged');

/** Rows that a statement has written. */
interface Written {
  readonly count: number;
  /** As they are stored now; none where rows are not compared. */
  readonly rows: readonly StoredRow[];
}

async function write({ client, spec, plan }: MergeContext, text: string): Promise<Written> {
  const { rows, rowCount } = await client.query<Record<string, unknown>>(text, [plan.at]);
  return { count: rowCount ?? 0, rows: spec.comparesRows ? rows.map((row) => storedRow(spec, row)) : [] };
}

function mergedRows(of: { inserted: Written; changed: Written; removed: number; rows: number }): Merged {
  const { inserted, changed, removed, rows } = of;
  return {
    state: inserted.count + changed.count + removed > 0 ? 'published' : 'unchanged',
    inserted: inserted.count,
    changed: changed.count,
    removed,
    rows,
    stored: [...changed.rows, ...inserted.rows],
  };
}

/** Policies that keep all rows: a row per change of its key, or per key and day. */
async function mergeVersions(context: MergeContext): Promise<PublishResult> {
  const { client, spec, plan, previous } = context;
  const before = previous?.rows ?? 0;
  const reason = await suspectLoss(context, { before, absent: Math.max(0, before - plan.rows) });
  if (reason !== undefined) return { state: 'suspect', reason };
  const isDaily = spec.change.policy === 'daily';
  await client.query(isDaily ? sql.dailyDiff(spec, plan.runId, plan.at) : sql.changesDiff(spec, plan.runId));
  const known = await countOf(client, 'SELECT count(*) AS rows FROM diff WHERE known');
  if (isDaily) await client.query(sql.correctDay(spec, plan.at));
  const versionedAt = isDaily ? sql.dayOf(plan.at) : plan.at;
  const insert = isDaily ? sql.insertNew(spec) : sql.insertVersions(spec);
  const written = (await client.query(insert, [versionedAt])).rowCount ?? 0;
  return {
    state: written > 0 || (isDaily && known > 0) ? 'published' : 'unchanged',
    inserted: isDaily ? written : written - known,
    changed: known,
    removed: 0,
    rows: plan.rows,
  };
}

/** Policies whose rows are inserted or updated and never deleted. */
async function mergeRows(context: MergeContext): Promise<PublishResult> {
  const { client, spec, plan, previous } = context;
  const isUpsert = spec.change.policy === 'upsert';
  await client.query((isUpsert ? sql.upsertDiff : sql.appendDiff)(spec, plan.runId));
  const updated = isUpsert ? ((await client.query(sql.updateChanged(spec), [plan.at])).rowCount ?? 0) : 0;
  const inserted = (await client.query(sql.insertNew(spec), [plan.at])).rowCount ?? 0;
  if (inserted > 0) await writeSeries(context, false);
  // Absence from a history that shrank by half proves nothing. The next history of that size does.
  const hasShrunk = plan.rows * 2 < (previous?.rows ?? 0);
  const provesAbsence = plan.torn === undefined && !hasShrunk;
  const closed = provesAbsence ? await closeInferred(client, spec, plan) : 0;
  const changed = updated + closed;
  return {
    state: inserted + changed > 0 ? 'published' : 'unchanged',
    inserted,
    changed,
    removed: 0,
    rows: plan.rows,
  };
}

/** A list that rows leave without leaving the table. */
async function mergeOpenList(context: MergeContext, openList: OpenList): Promise<PublishResult> {
  const { client, spec, plan, previous } = context;
  const { state, historyWindow } = openList;
  const silence = plan.at.getTime() - (previous?.lastModified ?? plan.at).getTime();
  const before = await countPublished(context);
  const diff = openListSql.openListDiff(spec, plan.runId, openList, {
    at: plan.at,
    absent: absentRowsOf(plan),
  });
  await client.query(diff, [plan.compared?.absent]);
  const absent = await countAbsent(context);
  const reason = await suspectLoss(context, { before, absent });
  if (reason !== undefined) return { state: 'suspect', reason };
  const endState = silence > historyWindow ? 'unknown' : undefined;
  const removed = (await client.query(openListSql.markLeft(spec, endState), [plan.at])).rowCount ?? 0;
  const changed = await write(context, openListSql.updateListed(spec, state));
  const inserted = await write(context, sql.insertNew(spec));
  return mergedRows({ inserted, changed, removed, rows: await countOf(client, sql.countRows(spec)) });
}

/** The number of absent rows in `diff`. Where deletions are not trusted they leave `diff`. */
async function countAbsent({ client, plan }: MergeContext): Promise<number> {
  if (!plan.trustDeletions) await client.query('DELETE FROM diff WHERE absent');
  return countOf(client, 'SELECT count(*) AS rows FROM diff WHERE absent');
}

/**
 * Leaves one staged row of each key, and returns how many were too many. Those that differ from the row that stays are
 * rejected, so that none is lost in silence; undefined where they give reason to doubt the whole snapshot.
 */
async function removeRepeatedRows({ client, spec, plan }: MergeContext): Promise<number | undefined> {
  const { repeated } = plan;
  if (repeated && !repeated.isStaged) return 0;
  if (repeated) await client.query(sql.deleteStaged(spec, plan.runId), [repeated.superseded]);
  const { rows } = await client.query<Record<string, unknown>>(sql.deleteDuplicates(spec, plan.runId));
  const reason = `${spec.key.join(', ')}: another row of the answer has the same`;
  const rejected = rows.flatMap(({ differs, ...row }) => (differs ? { row, reason, key: undefined } : []));
  // Rows that never change may be on two pages, because one moved to the next page while they were read.
  const isExpected = plan.torn !== undefined || spec.change.policy === 'append';
  if (rejected.length > 0 && !isExpected && !plan.believed.includes('repeated-key')) return undefined;
  await storeRejectedRows(client, spec, plan.runId, rejected, plan.now);
  if (rejected.length > 0) await addRunCounts(client, plan.runId, { rejected: rejected.length });
  return rows.length;
}

async function rejectRowsOfOtherTargets({ client, spec, plan }: MergeContext): Promise<void> {
  const text = sql.deleteRowsOfOtherTargets(spec);
  if (text === undefined) return;
  const { rows } = await client.query<Record<string, unknown>>(text);
  const reason = `${spec.key.join(', ')}: belongs to another ${spec.parsedTarget?.kind ?? 'target'}`;
  const rejected = rows.map((row) => ({ row, reason, key: undefined }));
  await storeRejectedRows(client, spec, plan.runId, rejected, plan.now);
  if (rejected.length > 0) await addRunCounts(client, plan.runId, { rejected: rejected.length });
}

async function writeSeries({ client, spec, plan }: MergeContext, everyType: boolean): Promise<void> {
  if (spec.series === 'wallet_journal_gaps') {
    const { deleteFilled, insertNew } = findJournalGaps(spec);
    await client.query(deleteFilled);
    await client.query(insertNew, [plan.now]);
  } else if (spec.series === 'market_type_series' && spec.parsedTarget) {
    await client.query(marketTypeSeries(everyType), [spec.parsedTarget.id, plan.at]);
  }
}
