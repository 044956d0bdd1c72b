import type { AnyResource } from '../../collectors/define.ts';
import { AppError } from '../../lib/errors.ts';
import { enrichmentsDiffer, isEnriched } from '../../store/sets/enrichments.ts';
import type { PublishPlan, PublishResult } from '../../store/sets/publish-plan.ts';
import { publishSnapshot } from '../../store/sets/publish-snapshot.ts';
import { readPublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { readRunResult } from '../../store/sets/runs.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import { confirmSnapshot, rejectSnapshot } from '../../store/sets/confirm-snapshot.ts';
import { dropEnrichments, dropPages, type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import { type SnapshotCheck, checkSnapshot, checkBackwardsRead, suspectLoss, suspectRejections } from './check-snapshot.ts';
import type { EngineContext } from '../engine-context.ts';
import { goesBackwards, snapshotSpec } from './resources.ts';
import { chunksOf, type RunRef, type RunSummary, type Step } from './run-steps.ts';

export interface PublishOptions {
  /** The last reading: a set that is torn now is published as far as it was seen. */
  readonly final: boolean;
}

/**
 * Last step of a run: publishes what is staged when it is one whole set. A torn set gives the pages to read again; the
 * final reading of a set that stays torn is published without believing any absence, so that the series goes on.
 */
export async function publish(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  { final }: PublishOptions,
): Promise<Step> {
  const spec = snapshotSpec(set, run);
  const records = await readPageRecords(engine.db.pool, run.runId);
  // In this order: a twin that closes the run drops its pages with it.
  const earlier = await readRunResult(engine.db.pool, run.runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId: run.runId } };
  if (records.length === 0) return nothingStaged(engine, run);
  const assessment = goesBackwards(set) ? checkBackwardsRead(records) : checkSnapshot(records);
  // A list with a hole is never published: the next run would stop at the rows in front of it.
  if (assessment.state === 'torn' && (!final || goesBackwards(set)))
    return readAgain(engine, run, records, assessment);
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  const plan = await planOf(engine, spec, run, records, assessment);
  const same =
    records.every((r) => r.notModified) && records.length === previous?.pages && plan.torn === undefined;
  const newer = plan.at.getTime() > (previous?.lastModified?.getTime() ?? 0);
  const detailed = spec.details.length > 0 && newer;
  if (detailed && !(await isEnriched(engine.db.pool, run.runId)))
    return { state: 'resolve', runId: run.runId };
  const asBefore = same && !(detailed && (await enrichmentsDiffer(engine.db.pool, spec, run.runId)));
  if (asBefore) {
    if (!(await confirmSnapshot(engine.db, spec, plan))) return rereadStalePages(engine, run, records, plan);
    return finished(engine, run, { outcome: 'unchanged' }, previous.rows);
  }
  const badRows = suspectRejections(plan.kept, plan.rejected);
  if (badRows !== undefined) return refuse(engine, spec, plan, run, badRows, false);
  if (plan.torn !== undefined && wholeOnly(spec)) return refuse(engine, spec, plan, run, plan.torn, false);
  const result = await publishSnapshot(engine.db, spec, plan);
  if (result.state === 'stale') return rereadStalePages(engine, run, records, plan);
  if (result.state !== 'twice') return told(engine, spec, plan, run, result);
  const why = 'a key stands twice in the set';
  if (!final) {
    const stale = records.map((r) => r.page);
    const notBefore = plan.expires?.getTime();
    return readAgain(engine, run, records, { state: 'torn', why, stale, pages: plan.pages, notBefore });
  }
  if (wholeOnly(spec)) return refuse(engine, spec, { ...plan, torn: why }, run, why, false);
  const asSeen = { ...plan, torn: why, trustDeletions: false };
  return told(engine, spec, asSeen, run, await publishSnapshot(engine.db, spec, asSeen));
}

/** Where each item is followed, a set that was not seen whole says nothing: what it lacks would be told as a change. */
const wholeOnly = ({ change }: SnapshotSpec) => change.policy === 'snapshot' && change.diffs !== undefined;

/** What the store made of a set, as the run's next step. */
async function told(
  engine: EngineContext,
  spec: SnapshotSpec,
  plan: PublishPlan,
  run: RunRef,
  result: PublishResult,
): Promise<Step> {
  switch (result.state) {
    case 'published':
    case 'unchanged': {
      const torn = plan.torn === undefined ? {} : { outcome: 'torn' as const, detail: plan.torn };
      return finished(engine, run, { ...result, outcome: result.state, ...torn }, plan.rows);
    }
    case 'superseded':
      await confirmSnapshot(engine.db, spec, plan);
      return finished(engine, run, { outcome: 'unchanged', detail: 'a newer set was published meanwhile' }, 0);
    case 'unknown-ids':
      return { state: 'resolve', runId: run.runId };
    case 'closed':
      return closedByAnother(engine, run);
    case 'doubted':
      return refuse(engine, spec, plan, run, result.why, true);
    case 'stale':
    case 'twice':
      throw new Error(`run ${run.runId}: the set is ${result.state} though it was cleared of that`);
  }
}

async function planOf(
  engine: EngineContext,
  spec: SnapshotSpec,
  run: RunRef,
  records: readonly PageRecord[],
  assessment: SnapshotCheck,
): Promise<PublishPlan & { kept: number }> {
  const whole = assessment.state === 'whole' ? assessment : undefined;
  const at = whole?.at ?? Math.max(...records.map((r) => r.lastModified ?? 0));
  const expires =
    whole?.expires ?? records.find((r) => r.lastModified === at && r.expires !== undefined)?.expires;
  const notModified = records.filter((r) => r.notModified).map((r) => r.page);
  const carried = notModified.length > 0 ? await carriedPages(engine, spec, notModified) : [];
  const sum = (pick: (r: PageRecord) => number) =>
    [...records, ...carried].reduce((total, r) => total + pick(r), 0);
  const torn = assessment.state === 'torn' ? assessment.why : undefined;
  const rows = sum((r) => r.rows + r.rejected - r.keyless);
  return {
    runId: run.runId,
    at: new Date(at),
    expires: expires === undefined ? undefined : new Date(expires),
    pages: assessment.pages,
    notModified,
    kept: sum((r) => r.rows),
    rows,
    rejected: sum((r) => r.rejected),
    // A row whose key could not be read may be any of those that seem absent.
    trustDeletions: torn === undefined && sum((r) => r.keyless) === 0,
    torn,
    now: new Date(engine.clock.now()),
    doubt: (counts, previous) => suspectLoss({ ...counts, rows }, at, previous, wholeOnly(spec)),
  };
}

/** Pages that answered 304, as the set published last had them. */
async function carriedPages(engine: EngineContext, spec: SnapshotSpec, pages: readonly number[]): Promise<PageRecord[]> {
  const previous = await readPublishedSnapshot(engine.db.pool, spec);
  if (!previous) return [];
  const wanted = new Set(pages);
  const records = await readPageRecords(engine.db.pool, previous.runId);
  return records.filter((r) => wanted.has(r.page));
}

/** A twin has published another set since pages answered 304: these are asked again, with that set's ETags. */
function rereadStalePages(
  engine: EngineContext,
  run: RunRef,
  records: readonly PageRecord[],
  plan: PublishPlan,
): Promise<Step> {
  const why = 'another set was published while this one was read';
  const { pages, notModified: stale } = plan;
  return readAgain(engine, run, records, { state: 'torn', why, stale, pages, notBefore: undefined });
}

async function readAgain(
  engine: EngineContext,
  run: RunRef,
  records: readonly PageRecord[],
  torn: SnapshotCheck & { state: 'torn' },
): Promise<Step> {
  engine.log.info({ ...run, why: torn.why }, 'the set is torn and read again');
  await dropPages(engine.db, run.runId, torn.stale);
  const kept = new Set(records.map((r) => r.page).filter((page) => !torn.stale.includes(page)));
  const { pages } = torn;
  const missing = Array.from({ length: pages }, (_, i) => i + 1).filter((page) => !kept.has(page));
  return {
    state: 'read',
    runId: run.runId,
    pages,
    chunks: chunksOf(missing),
    ...(torn.notBefore === undefined ? {} : { notBefore: torn.notBefore }),
  };
}

/** Staging tables are unlogged: after a crash of the database server they are empty, and all is read again. */
async function nothingStaged(engine: EngineContext, run: RunRef): Promise<Step> {
  engine.log.warn({ ...run }, 'nothing is staged any more; the database server must have crashed');
  await dropEnrichments(engine.db.pool, run.runId); // some may have been told after the crash
  return { state: 'read', runId: run.runId, pages: 1, chunks: [{ from: 1, to: 1 }] };
}

/** A twin of this step has done the work; or somebody ended the run, and its worker did not hear of it. */
async function closedByAnother({ db }: EngineContext, run: RunRef): Promise<Step> {
  const result = await readRunResult(db.pool, run.runId);
  if (result && result.outcome !== 'failed')
    return { state: 'done', summary: { ...result, runId: run.runId } };
  throw new AppError(`Run ${run.runId} was closed by another; this one ends.`, {
    code: 'RUN_CLOSED',
    verdict: 'fail',
  });
}

async function refuse(
  engine: EngineContext,
  spec: SnapshotSpec,
  plan: PublishPlan,
  run: RunRef,
  why: string,
  doubt: boolean,
): Promise<Step> {
  engine.log.warn({ ...run, why }, 'the set is not believed');
  await rejectSnapshot(engine.db, spec, plan, why, doubt);
  const outcome = plan.torn === undefined ? 'refused' : 'torn';
  return finished(engine, run, { outcome, detail: why }, 0);
}

function finished(engine: EngineContext, run: RunRef, summary: Omit<RunSummary, 'runId'>, rows: number): Step {
  engine.metrics.runFinished(run.collector, summary.outcome, rows, engine.clock.now());
  const { outcome, inserted = 0, changed = 0, removed = 0, detail } = summary;
  return {
    state: 'done',
    summary: {
      outcome,
      runId: run.runId,
      inserted,
      changed,
      removed,
      ...(detail === undefined ? {} : { detail }),
    },
  };
}
