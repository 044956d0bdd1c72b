import type { AnyResource, OwnerCollector } from '../../collectors/define.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { AppError, describeError } from '../../lib/errors.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import type { Route } from '../../esi/facts/routes.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import { closeEnrichment } from '../../store/sets/enrichments.ts';
import { recordCollection } from '../../store/owners/due-assignments.ts';
import { readEarliestExpiry } from '../../store/sets/published-snapshots.ts';
import { findRunResult, forgetRun, type RunKey } from '../../store/sets/runs.ts';
import { createStage } from '../../store/sets/stage.ts';
import { begin } from './begin-run.ts';
import { closeFailed, closeRunFailed } from './close-failed-run.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { publish } from './publish-run.ts';
import { readEnrichments } from './read-enrichments.ts';
import { type TargetResource, resourcesOf, snapshotSpec } from './resources.ts';
import type { RunRef, RunSummary, Step } from './run-steps.ts';
import { resolveUnknown } from '../universe/resolve-references.ts';

/** Each resolve gives every unknown id a row; a set that still names unknown ones after three is beyond help. */
const RESOLVES = 3;

/** How one part of a run ended. */
interface PartEnd {
  readonly part: string;
  readonly summary: RunSummary;
}

/**
 * The parts of an owner's collector one after another, in one step: most are a page or an unchanged page, and a step of
 * a workflow costs more than they do. A part of many pages is handed to the workflow; after it this is called again, and
 * finds what is done. One part in trouble keeps no other from being collected. Throws the EsiError of a route that may
 * answer when it is asked again.
 */
export async function collectResources(
  engine: EngineContext,
  collector: OwnerCollector,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const ends: PartEnd[] = [];
  const trouble = new Map<Route, EsiError>();
  for (const one of resourcesOf(collector.parts, key.target)) {
    if (trouble.has(one.set.route)) continue; // what one wallet meets, the others do
    try {
      const step = await beginPart(engine, one, { ...key, part: one.part }, context);
      if (step.state === 'read' || step.state === 'resolve') return { ...step, part: one.part };
      if (step.state === 'done') ends.push({ part: one.part, summary: step.summary });
      else ends.push({ part: one.part, summary: { outcome: 'not-due' } });
    } catch (error) {
      if (!(error instanceof EsiError) || error.verdict !== 'retry') throw error;
      trouble.set(one.set.route, error);
    }
  }
  const [first] = trouble.values();
  if (first) {
    await book(engine, key, ends, ...[...trouble.values()].map(describeError));
    throw first; // a repetition finds the others done
  }
  return { state: 'done', summary: await finish(engine, key, ends) };
}

async function beginPart(
  engine: EngineContext,
  { set }: TargetResource,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const earlier = await findRunResult(engine.db.pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  try {
    let step = await begin(engine, set, key, context);
    for (let resolved = 0; step.state === 'resolve' && resolved < RESOLVES; resolved++) {
      const run = { collector: key.collector, target: key.target, part: key.part ?? '', runId: step.runId };
      await resolve(engine, set, run, context);
      step = await publish(engine, set, run, { final: false });
    }
    return step;
  } catch (error) {
    return { state: 'done', summary: await give(engine, key, error) };
  }
}

/** What has to be asked for before a set can be published: ids that no table knows, and what other routes say. */
export async function resolve(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  context: StepContext,
): Promise<{ asked: number }> {
  await createStage(engine.db.pool, snapshotSpec(set, run), run.runId); // where every page answered 304 there is none
  const [{ asked, types }, reading] = await allSettledOrThrow([
    resolveUnknown(engine, set, run, context),
    readEnrichments(engine, set, run, context),
  ]);
  // By its type a row is one that has a name to be asked for: of new types nothing was asked yet.
  if (types > 0) await readEnrichments(engine, set, run, context);
  if (reading !== undefined) await closeEnrichment(engine.db.pool, run.runId, reading);
  return { asked };
}

/**
 * Errors that a repetition does not mend, and that say nothing of the other parts. An answer of the wrong shape is one:
 * ESI gives the same until it expires.
 */
function isOfThisPart({ code, verdict }: AppError): boolean {
  if (code.startsWith('SSO_')) return false;
  return verdict === 'fail' || verdict === 'skip-target' || code === 'ESI_BAD_SHAPE';
}

/** Postgres' class of values that it cannot take. */
const BAD_DATA = /^22/;

/**
 * A part of many pages is read and published by steps of its own. What is wrong with it alone closes its run; the first
 * step goes on with the other parts and tells it. Undefined when that happened.
 */
export async function isolateResourceFailure<T>(engine: EngineContext, run: RunRef, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const detail = run.part === undefined ? undefined : ofThisPart(error);
    if (detail === undefined) throw error;
    await closeRunFailed(engine, run, detail);
    return undefined;
  }
}

/** What an error says of this part alone; undefined where a repetition may help, or the other parts have it as well. */
function ofThisPart(error: unknown): string | undefined {
  if (error instanceof AppError) return isOfThisPart(error) ? describeError(error) : undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && BAD_DATA.test(code)
    ? `ESI gave a value that the database cannot hold: ${describeError(error)}`
    : undefined;
}

/** The end of a part that cannot be collected now; rethrown where a repetition may help. */
async function give(engine: EngineContext, key: RunKey, error: unknown): Promise<RunSummary> {
  const detail = ofThisPart(error);
  if (detail === undefined) throw error;
  // Where nobody may ask, nothing was run: the assignment's note says why.
  if ((error as AppError).verdict === 'skip-target' && (await forgetRun(engine.db.pool, key)))
    return { outcome: 'resting', detail };
  await closeFailed(engine, key, detail);
  return { outcome: 'failed', detail };
}

/** Ends of parts that collected nothing, or not all, and why is told. */
const SHORT = new Set<RunSummary['outcome']>(['failed', 'resting', 'refused', 'torn']);

/** Books what came of all parts with the assignment; with `trouble` it is not collected yet. Gives its note. */
async function book(
  engine: EngineContext,
  key: RunKey,
  ends: readonly PartEnd[],
  ...trouble: readonly string[]
): Promise<string> {
  const short = ends.filter(({ summary }) => SHORT.has(summary.outcome));
  const told = short.map(({ summary }) => summary.detail ?? 'The last run failed.');
  const note = [...new Set([...told, ...trouble])].join(' ');
  const asked = ends.filter((end) => !short.includes(end) && end.summary.outcome !== 'not-due');
  const [kind, id] = key.target.split('/');
  await recordCollection(
    engine.db.pool,
    {
      collector: key.collector,
      kind: kind as OwnerKind,
      ownerId: Number(id),
      collected: asked.length > 0 && trouble.length === 0,
      notBefore: await readEarliestExpiry(engine.db.pool, key),
      note: note === '' ? undefined : note.slice(0, 2_000),
    },
    new Date(engine.clock.now()),
  );
  return note;
}

/** Books and sums up what came of all parts. Throws AppError PARTS_FAILED. */
async function finish(engine: EngineContext, key: RunKey, ends: readonly PartEnd[]): Promise<RunSummary> {
  const note = await book(engine, key, ends);
  const failed = ends.find(({ summary }) => summary.outcome === 'failed');
  if (failed) {
    const where = failed.part === '' ? '' : `${failed.part}: `;
    throw new AppError(`${where}${failed.summary.detail ?? 'failed'}`, {
      code: 'PARTS_FAILED',
      verdict: 'fail',
    });
  }
  return sum(ends, note);
}

/** The run's outcome is the worst of what its parts came to, the best of them last. */
const RANK: readonly RunSummary['outcome'][] = [
  'refused',
  'torn',
  'published',
  'unchanged',
  'resting',
  'not-due',
];

function sum(ends: readonly PartEnd[], note: string): RunSummary {
  const total = (pick: (summary: RunSummary) => number | undefined) =>
    ends.reduce((n, { summary }) => n + (pick(summary) ?? 0), 0);
  const outcome = RANK.find((one) => ends.some(({ summary }) => summary.outcome === one)) ?? 'not-due';
  return {
    outcome,
    inserted: total((s) => s.inserted),
    changed: total((s) => s.changed),
    removed: total((s) => s.removed),
    ...(note === '' ? {} : { detail: note.slice(0, 500) }),
  };
}
