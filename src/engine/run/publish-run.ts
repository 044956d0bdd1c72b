import { AppError } from '../../lib/errors.ts';
import { confirmSnapshot, rejectSnapshot } from '../../store/sets/confirm-snapshot.ts';
import { enrichmentsDiffer, isEnriched } from '../../store/sets/enrichments.ts';
import { isMerged, type PublishPlan, type PublishResult } from '../../store/sets/publish-plan.ts';
import { publishSnapshot } from '../../store/sets/publish-snapshot.ts';
import { readRunResult } from '../../store/sets/runs.ts';
import { dropPages, type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import { compareKeys, type KeyComparison } from '../compare/compare-keys.ts';
import {
  checkBackwardsRead,
  checkSnapshot,
  lossGuardOf,
  recordsChanges,
  type SnapshotCheck,
  suspectRejections,
} from './check-snapshot.ts';
import { range } from './read-pages.ts';
import { pagesBackwards } from './resources.ts';
import type { RunContext } from './run-context.ts';
import { chunksOf } from './run-driver.ts';
import type { RunSummary, Step } from './run-steps.ts';

type Torn = Pick<SnapshotCheck & { state: 'torn' }, 'reason' | 'pages' | 'stale' | 'notBefore'>;

/**
 * Last step of a run: publishes the staged pages when they are one complete snapshot. A torn one returns the pages to
 * read again. At the last attempt a torn snapshot is published without any deletion, so that the series continues.
 */
export async function publishRun(context: RunContext, isLastAttempt: boolean): Promise<Step> {
  const { engine, run, resource, spec, previous } = context;
  const { pool } = engine.db;
  const records = await readPageRecords(pool, run.runId);
  // Read after the pages, because a concurrent step that closes the run drops its pages with it.
  const earlier = await readRunResult(pool, run.runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId: run.runId } };
  if (records.length === 0) return rereadAll(context);
  const check = pagesBackwards(resource) ? checkBackwardsRead(records) : checkSnapshot(records);
  // A list with a missing page is never published, because the next run would stop at the rows before it.
  if (check.state === 'torn' && (!isLastAttempt || pagesBackwards(resource)))
    return rereadPages(context, records, check);
  const keys = spec.comparesRows ? await compareKeys(context, records) : undefined;
  const plan = await planPublication(context, records, check, keys);
  if (await isUnchanged(context, records, plan)) {
    if (!(await confirmSnapshot(engine.db, spec, plan))) return rereadStalePages(context, records, plan);
    return finish(context, { outcome: 'unchanged' }, previous?.rows ?? 0);
  }
  const reason = suspectRejections(plan.validRows, plan.rejected);
  if (reason !== undefined) return reject(context, plan, reason, false);
  if (plan.torn !== undefined && recordsChanges(spec)) return reject(context, plan, plan.torn, false);
  const hasRepeatedKey = keys !== undefined && keys.repeated > 0 && plan.torn === undefined;
  const result = hasRepeatedKey ? DUPLICATE_KEY : await publish(context, plan);
  if (result.state !== 'duplicate-key') return concludePublication(context, records, plan, result);
  return handleDuplicateKey(context, records, plan, isLastAttempt);
}

const DUPLICATE_KEY = { state: 'duplicate-key' } as const;

/** Publishes the staged pages, and lets the cache of published rows follow. */
async function publish({ engine, run, spec }: RunContext, plan: PublishPlan): Promise<PublishResult> {
  const result = await publishSnapshot(engine.db, spec, plan);
  if (isMerged(result) && plan.compared && result.stored) {
    const removed = plan.trustDeletions ? plan.compared.absent : [];
    const { stored } = result;
    engine.snapshots.advance(spec, plan.compared.publishedRun, { runId: run.runId, stored, removed });
  }
  if (result.state === 'stale') engine.snapshots.forget(spec);
  return result;
}

/** Whether every page answered 304, and other routes say nothing new of the rows either. */
async function isUnchanged(
  { engine, run, spec, previous }: RunContext,
  records: readonly PageRecord[],
  plan: PublishPlan,
): Promise<boolean> {
  const isSame =
    records.every((record) => record.notModified) &&
    records.length === previous?.pages &&
    plan.torn === undefined;
  const isNewer = plan.at > (previous?.lastModified ?? new Date(0));
  if (!isSame || spec.enrichments.length === 0 || !isNewer) return isSame;
  // A run that is not enriched, because another step dropped its enrichments, is sent back by publishSnapshot.
  const { pool } = engine.db;
  return (await isEnriched(pool, run.runId)) && !(await enrichmentsDiffer(pool, spec, run.runId));
}

/** Two rows with one key: the snapshot is read again, and at the last attempt published as one that is torn. */
async function handleDuplicateKey(
  context: RunContext,
  records: readonly PageRecord[],
  plan: PublishPlan,
  isLastAttempt: boolean,
): Promise<Step> {
  const reason = 'two rows have the same key';
  if (!isLastAttempt)
    return rereadPages(context, records, {
      reason,
      pages: plan.pages,
      stale: records.map(({ page }) => page),
      notBefore: plan.expires?.getTime(),
    });
  const torn = { ...plan, torn: reason, trustDeletions: false };
  if (recordsChanges(context.spec)) return reject(context, torn, reason, false);
  return concludePublication(context, records, torn, await publish(context, torn));
}

/** The step that follows from what the store did with a snapshot. */
async function concludePublication(
  context: RunContext,
  records: readonly PageRecord[],
  plan: PublishPlan,
  result: PublishResult,
): Promise<Step> {
  const { engine, run, spec } = context;
  switch (result.state) {
    case 'published':
    case 'unchanged': {
      const torn = plan.torn === undefined ? {} : { outcome: 'torn' as const, detail: plan.torn };
      return finish(context, { ...result, outcome: result.state, ...torn }, plan.rows);
    }
    case 'superseded':
      await confirmSnapshot(engine.db, spec, plan);
      return finish(context, { outcome: 'unchanged', detail: 'a newer snapshot was published meanwhile' }, 0);
    case 'stale':
      return rereadStalePages(context, records, plan);
    case 'not-enriched': // nothing is to be read: the driver enriches the run and publishes it again
      return { state: 'read', run, pages: plan.pages, chunks: [] };
    case 'closed':
      return closedElsewhere(context);
    case 'suspect':
      return reject(context, plan, result.reason, true);
    case 'duplicate-key':
      throw new Error(`run ${run.runId}: two rows have the same key after duplicates were deleted`);
  }
}

async function planPublication(
  { engine, run, spec, previous }: RunContext,
  records: readonly PageRecord[],
  check: SnapshotCheck,
  keys: KeyComparison | undefined,
): Promise<PublishPlan> {
  const complete = check.state === 'complete' ? check : undefined;
  const at = complete?.at ?? Math.max(...records.map((record) => record.lastModified ?? 0));
  const expires =
    complete?.expires ??
    records.find((record) => record.lastModified === at && record.expires !== undefined)?.expires;
  const notModified = records.filter((record) => record.notModified).map(({ page }) => page);
  // Pages that answered 304 have the counts that they have in the published snapshot.
  const carried =
    notModified.length > 0 && previous ? await readPageRecords(engine.db.pool, previous.runId) : [];
  const counted = [...records, ...carried.filter(({ page }) => notModified.includes(page))];
  const sum = (count: (record: PageRecord) => number) =>
    counted.reduce((total, record) => total + count(record), 0);
  const torn = check.state === 'torn' ? check.reason : undefined;
  const keyless = sum((record) => record.keyless);
  return {
    runId: run.runId,
    at: new Date(at),
    expires: expires === undefined ? undefined : new Date(expires),
    pages: check.pages,
    notModified,
    compared: keys?.compared,
    rows: sum((record) => record.rows + record.rejected) - keyless,
    validRows: sum((record) => record.rows),
    rejected: sum((record) => record.rejected),
    // A row whose key could not be read may be any of those that seem absent.
    trustDeletions: torn === undefined && keyless === 0,
    torn,
    lossGuard: lossGuardOf(spec),
    now: new Date(engine.clock.now()),
  };
}

/**
 * Another run has published a snapshot since: pages that answered 304 to ETags of the one before, or were compared with it,
 * are read again when they have expired.
 */
function rereadStalePages(
  context: RunContext,
  records: readonly PageRecord[],
  { pages, expires }: PublishPlan,
): Promise<Step> {
  const reason = 'another snapshot was published while this one was read';
  const stale = records
    .filter(({ notModified, comparedWith }) => notModified || comparedWith !== undefined)
    .map(({ page }) => page);
  return rereadPages(context, records, { reason, pages, stale, notBefore: expires?.getTime() });
}

async function rereadPages(
  { engine, run }: RunContext,
  records: readonly PageRecord[],
  { reason, pages, stale, notBefore }: Torn,
): Promise<Step> {
  engine.log.info({ ...run, reason }, 'the snapshot is torn and is read again');
  await dropPages(engine.db, run.runId, stale);
  const present = new Set(records.map(({ page }) => page).filter((page) => !stale.includes(page)));
  const missing = range(1, pages).filter((page) => !present.has(page));
  const chunks = chunksOf(missing);
  return { state: 'read', run, pages, chunks, ...(notBefore === undefined ? {} : { notBefore }) };
}

/** Staging tables are unlogged: after a crash of the database server they are empty, and all pages are read again. */
async function rereadAll({ engine, run }: RunContext): Promise<Step> {
  engine.log.warn(
    { ...run },
    'staged pages are missing, probably after a crash of the database server; reading them again',
  );
  await dropPages(engine.db, run.runId, []); // with the enrichments that were staged after the crash
  return { state: 'read', run, pages: 1, chunks: [{ from: 1, to: 1 }] };
}

/** A concurrent execution of this step has done the work, or the run was closed from outside. */
async function closedElsewhere({ engine, run }: RunContext): Promise<Step> {
  const result = await readRunResult(engine.db.pool, run.runId);
  if (result && result.outcome !== 'failed')
    return { state: 'done', summary: { ...result, runId: run.runId } };
  throw new AppError(`Run ${run.runId} was closed from outside, so it ends here.`, {
    code: 'RUN_CLOSED',
    verdict: 'fail',
  });
}

async function reject(
  context: RunContext,
  plan: PublishPlan,
  reason: string,
  isSuspect: boolean,
): Promise<Step> {
  const { engine, run, spec } = context;
  engine.log.warn({ ...run, reason }, 'the snapshot is not published');
  await rejectSnapshot(engine.db, spec, plan, reason, isSuspect);
  const outcome = plan.torn === undefined ? 'refused' : 'torn';
  return finish(context, { outcome, detail: reason }, 0);
}

function finish({ engine, run }: RunContext, summary: RunSummary, rows: number): Step {
  const { outcome, inserted = 0, changed = 0, removed = 0, detail } = summary;
  engine.metrics.runFinished(run.collector, outcome, rows, engine.clock.now());
  const counts = { outcome, runId: run.runId, inserted, changed, removed };
  return { state: 'done', summary: detail === undefined ? counts : { ...counts, detail } };
}
