import type { AnyCollector } from '../../collectors/define.ts';
import { findCollector } from '../../collectors/index.ts';
import { parseTarget } from '../../collectors/targets.ts';
import { describeError } from '../../lib/errors.ts';
import { openRun, readRunResult, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { collectMarketHistory } from '../history/collect-market-history.ts';
import { checkRegions, checkTarget } from '../list-targets.ts';
import { collectStructures } from '../owners/collect-structures.ts';
import { collectUniverse } from '../universe/collect-universe.ts';
import { beginRun } from './begin-run.ts';
import { closeFailedRuns } from './close-failed-run.ts';
import { collectResources, isolateResourceFailure } from './collect-resources.ts';
import { enrichRun } from './enrich-run.ts';
import { publishRun } from './publish-run.ts';
import { readBackwards } from './read-backwards.ts';
import { readChunk } from './read-pages.ts';
import { pagesBackwards } from './resources.ts';
import { loadRunContext } from './run-context.ts';
import type { Chunk, RunRef, RunSteps, Step } from './run-steps.ts';

/** Collectors whose source is not one snapshot of one route. */
const PROCEDURES = {
  universe: collectUniverse,
  'market-history': collectMarketHistory,
  structures: collectStructures,
} as const;

/**
 * First step of a run of any collector. Throws AppError UNKNOWN_COLLECTOR, BAD_TARGET, UNKNOWN_REGION, and what the source
 * throws.
 */
export async function beginStep(engine: EngineContext, key: RunKey, step: StepContext): Promise<Step> {
  const collector = findCollector(key.collector);
  checkTarget(collector, key.target);
  await refuseUnknownRegion(engine, collector, key);
  if ('procedure' in collector) return PROCEDURES[collector.procedure](engine, key, step);
  if ('resources' in collector) return collectResources(engine, collector, key, step);
  return beginRun(engine, collector, key, step);
}

/** Sends no request for a region that does not exist. The run is recorded, so that the status says why there is nothing. */
async function refuseUnknownRegion(
  engine: EngineContext,
  collector: AnyCollector,
  key: RunKey,
): Promise<void> {
  if (!('for' in collector) || collector.for !== 'region') return;
  try {
    await checkRegions(engine, [parseTarget(key.target, 'region').id]);
  } catch (error) {
    await openRun(engine.db.pool, key, new Date(engine.clock.now())); // closed with the error by closeStep
    throw error;
  }
}

/** Reads one chunk. Nothing is read when another chunk has closed the run of the resource. */
export async function readChunkStep(
  engine: EngineContext,
  run: RunRef,
  chunk: Chunk,
  step: StepContext,
): Promise<number> {
  if (run.resource !== undefined && (await readRunResult(engine.db.pool, run.runId))) return 0;
  const context = await loadRunContext(engine, run, step);
  const pages = await isolateResourceFailure(engine, run, () =>
    pagesBackwards(context.resource) ? readBackwards(context) : readChunk(context, chunk),
  );
  return pages ?? 0;
}

/** Enriches the staged rows, see enrichRun. */
export async function enrichStep(engine: EngineContext, run: RunRef, step: StepContext): Promise<void> {
  const context = await loadRunContext(engine, run, step);
  await isolateResourceFailure(engine, run, () => enrichRun(context));
}

/** Publishes the staged rows, see publishRun. After one resource the run continues with the owner's other ones. */
export async function publishStep(
  engine: EngineContext,
  run: RunRef,
  isLastAttempt: boolean,
  step: StepContext,
): Promise<Step> {
  const context = await loadRunContext(engine, run, step);
  const next = await isolateResourceFailure(engine, run, () => publishRun(context, isLastAttempt));
  if (next && (run.resource === undefined || next.state !== 'done')) return next;
  return { state: 'continue', ...(run.resource === undefined ? {} : { detail: run.resource }) };
}

/** Closes what a workflow run left open as failed. */
export function closeStep(engine: EngineContext, key: RunKey, error: string): Promise<void> {
  return closeFailedRuns(engine, key, error);
}

/** The steps of one run in this process, as the driver calls them where no workflow does. */
export const engineSteps = (engine: EngineContext, key: RunKey, step: StepContext = {}): RunSteps => ({
  begin: () => beginStep(engine, key, step),
  readChunk: (run, chunk) => readChunkStep(engine, run, chunk, step),
  enrich: (run) => enrichStep(engine, run, step),
  publish: (run, isLastAttempt) => publishStep(engine, run, isLastAttempt, step),
  close: (error) => closeStep(engine, key, describeError(error)),
});
