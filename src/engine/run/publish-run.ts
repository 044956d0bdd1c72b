import { AppError } from '../../lib/errors.ts';
import { confirmSnapshot, markSuspect, rejectSnapshot } from '../../store/sets/confirm-snapshot.ts';
import { enrichmentsDiffer, isEnriched } from '../../store/sets/enrichments.ts';
import type { SuspectReason } from '../../store/sets/published-snapshots.ts';
import { isMerged, type PublishPlan, type PublishResult } from '../../store/sets/publish-plan.ts';
import { publishSnapshot } from '../../store/sets/publish-snapshot.ts';
import { readRunAge, readRunResult } from '../../store/sets/runs.ts';
import { type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import { compareKeys } from '../compare/compare-keys.ts';
import {
  checkBackwardsRead,
  checkSnapshot,
  recordsChanges,
  refusalDetail,
  type SnapshotCheck,
} from './check-snapshot.ts';
import { type Doubt, planPublication, repeatedKeyDetail } from './plan-publication.ts';
import { rereadAll, rereadPages, rereadStalePages } from './reread-pages.ts';
import { pagesBackwards } from './resources.ts';
import type { RunContext } from './run-context.ts';
import type { RunSummary, Step } from './run-steps.ts';

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
  const { pageFailure } = await readRunAge(pool, run.runId);
  const now = engine.clock.now();
  const check = pagesBackwards(resource)
    ? checkBackwardsRead(records, pageFailure, now)
    : checkSnapshot(records, now);
  // A list that goes backwards is not published without a page in between, because no later page can be requested.
  const isFinal = pageFailure !== undefined || (isLastAttempt && !pagesBackwards(resource));
  if (check.state === 'torn' && !isFinal) return rereadPages(context, records, check);
  const keys = spec.comparesRows ? await compareKeys(context, records) : undefined;
  const { plan, doubts } = await planPublication(context, records, tellFailure(check, pageFailure), keys);
  if (await isUnchanged(context, records, plan)) {
    if (!(await confirmSnapshot(engine.db, spec, plan))) return rereadStalePages(context, records, plan);
    return finish(context, { outcome: 'unchanged' }, previous?.rows ?? 0);
  }
  const [doubt] = doubts;
  if (doubt) return handleDoubt(context, records, plan, doubt, isLastAttempt);
  if (plan.torn !== undefined && recordsChanges(spec)) return reject(context, plan, plan.torn, undefined);
  const result = await publish(context, plan);
  if (result.state !== 'duplicate-key') return concludePublication(context, records, plan, result);
  const repeated = { reason: 'repeated-key', detail: repeatedKeyDetail } as const;
  return handleDoubt(context, records, plan, repeated, isLastAttempt);
}

/** A torn snapshot names the failure of its page. */
const tellFailure = (check: SnapshotCheck, failure: string | undefined): SnapshotCheck =>
  check.state === 'torn' && failure !== undefined
    ? {
        ...check,
        reason: `${check.reason}; the others are stored, and the next run reads all again. ${failure}`,
      }
    : check;

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

/**
 * A doubt is answered by a later snapshot. Where a fault of one reading is likely, this run waits for that snapshot; else
 * the next run reads it.
 */
async function handleDoubt(
  context: RunContext,
  records: readonly PageRecord[],
  plan: PublishPlan,
  { reason, detail }: Doubt,
  isLastAttempt: boolean,
): Promise<Step> {
  const { engine, spec } = context;
  if (isLastAttempt || reason === 'rejected-rows') return reject(context, plan, detail, reason);
  await markSuspect(engine.db, spec, plan, reason);
  return rereadPages(context, records, {
    reason: detail,
    pages: plan.pages,
    stale: records.map(({ page }) => page),
    notBefore: plan.expires?.getTime(),
  });
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
      const note = result.note === undefined ? {} : { detail: result.note };
      return finish(context, { ...result, outcome: result.state, ...note, ...torn }, plan.rows);
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
      return reject(context, plan, result.reason, 'rows-missing');
    case 'duplicate-key':
      throw new Error(`run ${run.runId}: repeated keys are handled before`);
  }
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
  cause: string,
  reason: SuspectReason | undefined,
): Promise<Step> {
  const { engine, run, spec } = context;
  const detail = reason ? refusalDetail(cause, run.runId) : cause;
  engine.log.warn({ ...run, reason: detail }, 'the snapshot is not published');
  await rejectSnapshot(engine.db, spec, plan, detail, reason);
  const outcome = plan.torn === undefined ? 'refused' : 'torn';
  return finish(context, { outcome, detail }, 0);
}

function finish({ engine, run }: RunContext, summary: RunSummary, rows: number): Step {
  const { outcome, inserted = 0, changed = 0, removed = 0, detail } = summary;
  engine.metrics.runFinished(run.collector, outcome, rows, engine.clock.now());
  const counts = { outcome, runId: run.runId, inserted, changed, removed };
  return { state: 'done', summary: detail === undefined ? counts : { ...counts, detail } };
}
