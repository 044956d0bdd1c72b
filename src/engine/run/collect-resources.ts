import type { OwnerCollector } from '../../collectors/define.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { MINUTE } from '../../lib/duration.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import { recordCollection } from '../../store/owners/due-assignments.ts';
import { readEarliestExpiry } from '../../store/sets/published-snapshots.ts';
import { deleteEmptyRun, readRunStart, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { beginRun } from './begin-run.ts';
import { closeFailedRun, closeFailedRuns } from './close-failed-run.ts';
import { type NamedResource, resourcesOf } from './resources.ts';
import { upToDate } from './run-driver.ts';
import type { RunRef, RunSummary, Step } from './run-steps.ts';

/** How the run of one resource ended. */
interface ResourceEnd {
  readonly name: string;
  readonly summary: RunSummary;
}

/**
 * Collects the resources of an owner's collector one after another in one step: most are a page or an unchanged page,
 * and a step of a workflow costs more than they do. A resource of many pages is handed to the driver; afterwards this is
 * called again and finds what is done. A resource that fails, such as one division of a route, does not stop the others,
 * and the next run tries it again. Where ESI answers none of them it may be away: throws the first EsiError then.
 */
export async function collectResources(
  engine: EngineContext,
  collector: OwnerCollector,
  key: RunKey,
  step: StepContext,
): Promise<Step> {
  const ends: ResourceEnd[] = [];
  const failures: { readonly name: string; readonly error: EsiError }[] = [];
  for (const named of resourcesOf(collector.resources, key.target)) {
    try {
      const next = await beginResource(engine, named, { ...key, resource: named.name }, step);
      if (next.state === 'read') return next;
      const summary: RunSummary = summaryOf(next, engine.clock.now());
      ends.push({ name: named.name, summary });
    } catch (error) {
      if (!isOfRoute(error)) throw error;
      failures.push({ name: named.name, error });
    }
  }
  const [first] = failures;
  if (first && !ends.some(isAnswered)) {
    await recordOutcome(
      engine,
      key,
      ends,
      failures.map(({ error }) => describeError(error)),
    );
    throw first.error;
  }
  for (const { name, error } of failures) {
    const detail = describeError(error);
    await closeFailedRuns(engine, { ...key, resource: name }, detail);
    ends.push({ name, summary: { outcome: 'failed', detail } });
  }
  return { state: 'done', summary: await conclude(engine, key, ends) };
}

/** What became of a resource that has nothing to be read now. */
function summaryOf(step: Step, now: number): RunSummary {
  if (step.state === 'done') return step.summary;
  return step.state === 'wait' ? upToDate(step.until, now) : { outcome: 'not-due' };
}

/** Whether ESI failed for this request, which says nothing of other resources. */
const isOfRoute = (error: unknown): error is EsiError => error instanceof EsiError && error.isOfRoute;

/** Whether ESI answered for a resource in this run, or did so lately. */
const isAnswered = ({ summary }: ResourceEnd): boolean =>
  summary.outcome !== 'failed' && summary.outcome !== 'blocked';

async function beginResource(
  engine: EngineContext,
  { resource }: NamedResource,
  key: RunKey,
  step: StepContext,
): Promise<Step> {
  try {
    return await beginRun(engine, resource, key, step);
  } catch (error) {
    return { state: 'done', summary: await failResource(engine, key, error) };
  }
}

/** SQLSTATE class of values that PostgreSQL cannot hold. */
const BAD_DATA = /^22/;

/**
 * The reason of an error that concerns one resource alone and that a retry does not resolve. An answer of a bad shape is
 * one, since ESI gives the same until it expires. Undefined for all other errors.
 */
function resourceFailure(error: unknown): string | undefined {
  if (error instanceof AppError) {
    const { code, verdict } = error;
    if (code.startsWith('SSO_')) return undefined;
    const isFinal = verdict === 'fail' || verdict === 'skip-target' || code === 'ESI_BAD_SHAPE';
    return isFinal ? describeError(error) : undefined;
  }
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && BAD_DATA.test(code)
    ? `ESI sent a value that the database cannot hold: ${describeError(error)}`
    : undefined;
}

/** Milliseconds for which a step of a resource is retried while ESI fails for it: trouble of seconds costs no run. */
const RETRY_FOR = 5 * MINUTE;

async function reasonToClose(
  engine: EngineContext,
  { resource, runId }: RunRef,
  error: unknown,
): Promise<string | undefined> {
  if (resource === undefined) return undefined;
  if (!isOfRoute(error)) return resourceFailure(error);
  const started = await readRunStart(engine.db.pool, runId);
  return engine.clock.now() - started.getTime() < RETRY_FOR ? undefined : describeError(error);
}

/**
 * Runs a step of one resource. An error of that resource alone, or one that lasts, closes its run, and the first step
 * continues with the other resources and reports it; undefined then.
 */
export async function isolateResourceFailure<T>(
  engine: EngineContext,
  run: RunRef,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const reason = await reasonToClose(engine, run, error);
    if (reason === undefined) throw error;
    await closeFailedRun(engine, run, reason);
    return undefined;
  }
}

/** Ends a resource that cannot be collected now. Rethrows errors that a retry may resolve. */
async function failResource(engine: EngineContext, key: RunKey, error: unknown): Promise<RunSummary> {
  const detail = resourceFailure(error);
  if (detail === undefined) throw error;
  // Where nobody may request it, nothing was run: the note of the assignment gives the reason.
  if ((error as AppError).verdict === 'skip-target' && (await deleteEmptyRun(engine.db.pool, key)))
    return { outcome: 'blocked', detail };
  await closeFailedRuns(engine, key, detail);
  return { outcome: 'failed', detail };
}

/** Outcomes of resources of which nothing, or not everything, was collected. */
const INCOMPLETE = new Set<RunSummary['outcome']>(['failed', 'blocked', 'refused', 'torn']);

/** Records with the assignment what became of all resources; with `failures` it does not count as collected. Returns the note. */
async function recordOutcome(
  engine: EngineContext,
  key: RunKey,
  ends: readonly ResourceEnd[],
  failures: readonly string[],
): Promise<string> {
  const incomplete = ends.filter(({ summary }) => INCOMPLETE.has(summary.outcome));
  const reasons = incomplete.map(({ summary }) => summary.detail ?? 'The last run failed.');
  const note = [...new Set([...reasons, ...failures])].join(' ');
  const collected = ends.filter((end) => !incomplete.includes(end) && end.summary.outcome !== 'not-due');
  const [kind, id] = key.target.split('/');
  await recordCollection(
    engine.db.pool,
    {
      collector: key.collector,
      kind: kind as OwnerKind,
      ownerId: Number(id),
      isCollected: collected.length > 0 && failures.length === 0,
      notBefore: await readEarliestExpiry(engine.db.pool, key),
      note: note === '' ? undefined : note.slice(0, 2_000),
    },
    new Date(engine.clock.now()),
  );
  return note;
}

/** Records and sums up what became of all resources. Throws AppError RESOURCE_FAILED. */
async function conclude(
  engine: EngineContext,
  key: RunKey,
  ends: readonly ResourceEnd[],
): Promise<RunSummary> {
  const note = await recordOutcome(engine, key, ends, []);
  const failed = ends.find(({ summary }) => summary.outcome === 'failed');
  if (!failed) return sumUp(ends, note, engine.clock.now());
  const where = failed.name === '' ? '' : `${failed.name}: `;
  throw new AppError(`${where}${failed.summary.detail ?? 'failed'}`, {
    code: 'RESOURCE_FAILED',
    verdict: 'fail',
  });
}

/** The outcome of a run is the first of these that any of its resources has. */
const OUTCOME_ORDER: readonly RunSummary['outcome'][] = [
  'refused',
  'torn',
  'published',
  'unchanged',
  'blocked',
  'not-due',
];

function sumUp(ends: readonly ResourceEnd[], note: string, now: number): RunSummary {
  const updates = ends.flatMap(({ summary }) => summary.nextUpdate ?? []);
  if (note === '' && updates.length > 0 && ends.every(({ summary }) => summary.outcome === 'not-due'))
    return upToDate(Math.min(...updates), now);
  const sum = (count: (summary: RunSummary) => number | undefined) =>
    ends.reduce((total, { summary }) => total + (count(summary) ?? 0), 0);
  return {
    outcome: OUTCOME_ORDER.find((one) => ends.some(({ summary }) => summary.outcome === one)) ?? 'not-due',
    inserted: sum((summary) => summary.inserted),
    changed: sum((summary) => summary.changed),
    removed: sum((summary) => summary.removed),
    ...(note === '' ? {} : { detail: note.slice(0, 500) }),
  };
}
