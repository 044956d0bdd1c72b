import { randomUUID } from 'node:crypto';
import { findCollector } from '../../collectors/index.ts';
import { describeError } from '../../lib/errors.ts';
import { readRunResult, type RunKey } from '../../store/sets/runs.ts';
import { begin } from './begin-run.ts';
import { closeFailed } from './close-failed-run.ts';
import { collectResources, isolateResourceFailure, resolve } from './collect-resources.ts';
import { collectMarketHistory } from '../history/collect-market-history.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { publish } from './publish-run.ts';
import { collectStructures } from '../owners/collect-structures.ts';
import { readBackwards } from './read-backwards.ts';
import { readChunk } from './read-pages.ts';
import { goesBackwards, findResource } from './resources.ts';
import { type Chunk, LANES, MAX_ATTEMPTS, type RunRef, type RunSummary, type Step } from './run-steps.ts';
import { checkTarget } from '../list-targets.ts';
import { collectUniverse } from '../universe/collect-universe.ts';

/** The steps of a run, each of which can be repeated and can run beside a twin without harm. */
export interface Steps {
  begin(key: RunKey): Promise<Step>;
  readChunk(run: RunRef, chunk: Chunk): Promise<{ pages: number }>;
  publish(run: RunRef, final: boolean): Promise<Step>;
  resolve(run: RunRef): Promise<{ asked: number }>;
  /** Closes the run of a workflow run as failed, when it was opened at all. */
  close(key: RunKey, error: string): Promise<void>;
}

/** What the last door leads to: sources that are not one set of one route. */
const PROCEDURES = {
  universe: collectUniverse,
  'market-history': collectMarketHistory,
  structures: collectStructures,
} as const;

/** The steps bound to real parts: what activities call, and what runs without Temporal call directly. */
export function engineSteps(engine: EngineContext, context: StepContext = {}): Steps {
  return {
    begin(key) {
      const collector = findCollector(key.collector);
      checkTarget(collector, key.target);
      if ('procedure' in collector) return PROCEDURES[collector.procedure](engine, key, context);
      if ('parts' in collector) return collectResources(engine, collector, key, context);
      return begin(engine, collector, key, context);
    },
    async readChunk(run, chunk) {
      const set = findResource(run);
      // Another chunk of the part may have given it up.
      if (run.part !== undefined && (await readRunResult(engine.db.pool, run.runId))) return { pages: 0 };
      const pages = await isolateResourceFailure(engine, run, () =>
        goesBackwards(set)
          ? readBackwards(engine, set, run, context)
          : readChunk(engine, set, run, chunk, context),
      );
      return { pages: pages ?? 0 };
    },
    async publish(run, final) {
      const step = await isolateResourceFailure(engine, run, () => publish(engine, findResource(run), run, { final }));
      // The other parts of the owner's collector are the first step's to go on with.
      const { part = '', runId } = run;
      if (step && run.part === undefined) return step;
      if (!step || step.state === 'done') return { state: 'more', runId, done: 0, total: 0, detail: part };
      return step.state === 'read' || step.state === 'resolve' ? { ...step, part } : step;
    },
    resolve: async (run) =>
      (await isolateResourceFailure(engine, run, () => resolve(engine, findResource(run), run, context))) ?? { asked: 0 },
    close: (key, error) => closeFailed(engine, key, error),
  };
}

/** One run in this process, without Temporal: the same steps in the same order as the workflow `collect`. */
export async function collectTarget(
  engine: EngineContext,
  target: Pick<RunKey, 'collector' | 'target'>,
  context: StepContext = {},
): Promise<RunSummary> {
  const { collector } = target;
  const key = { ...target, workflowId: `${collector}/${target.target}`, workflowRunId: randomUUID() };
  const steps = engineSteps(engine, context);
  try {
    return await runSteps(engine, steps, key, context);
  } catch (error) {
    await steps.close(key, describeError(error));
    throw error;
  }
}

async function runSteps(engine: EngineContext, steps: Steps, key: RunKey, context: StepContext): Promise<RunSummary> {
  let step = await steps.begin(key);
  for (let reading = 0; ;) {
    if (step.state === 'done') return step.summary;
    if (step.state === 'wait') {
      return { outcome: 'not-due', detail: `${step.why} before ${new Date(step.until).toISOString()}` };
    }
    const part = 'part' in step && step.part !== undefined ? { part: step.part } : {};
    const run = { collector: key.collector, target: key.target, ...part, runId: step.runId };
    if (step.state === 'more') {
      reading = 0;
      step = await steps.begin(key);
    } else if (step.state === 'resolve') {
      await steps.resolve(run);
      step = await steps.publish(run, reading >= MAX_ATTEMPTS);
    } else {
      await engine.clock.sleep(Math.max(0, (step.notBefore ?? 0) - engine.clock.now()), context.signal);
      await mapConcurrent(step.chunks, (chunk) => steps.readChunk(run, chunk));
      step = await steps.publish(run, ++reading >= MAX_ATTEMPTS);
    }
  }
}

async function mapConcurrent<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(LANES, items.length) }, lane));
}
