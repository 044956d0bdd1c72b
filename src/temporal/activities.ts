import { setMaxListeners } from 'node:events';
import {
  activityInfo,
  ApplicationFailure,
  cancellationSignal,
  Context,
  heartbeat,
} from '@temporalio/activity';
import { ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { findCollector } from '../collectors/index.ts';
import { checkLimits } from '../engine/check-esi-limits.ts';
import { engineSteps } from '../engine/run/collect-target.ts';
import type { EngineContext } from '../engine/engine-context.ts';
import type { Chunk, RunRef, Step } from '../engine/run/run-steps.ts';
import { hasStaleAffiliations, refreshAffiliations } from '../engine/owners/refresh-affiliations.ts';
import { type DueRun, takeDueRuns } from '../engine/owners/due-runs.ts';
import { sealTokens } from '../engine/owners/token-service.ts';
import { listTargets } from '../engine/list-targets.ts';
import { AppError, describeError } from '../lib/errors.ts';
import { maintain } from '../store/maintenance.ts';

/** What workflows may call. Results are ids and counts: rows and secrets never enter a history. */
export interface Activities {
  /** Targets of a collector as configured now; `['']` when it takes none. */
  targets(collector: string): Promise<string[]>;
  begin(collector: string, target: string): Promise<Step>;
  readChunk(run: RunRef, chunk: Chunk): Promise<{ pages: number }>;
  publish(run: RunRef, final: boolean): Promise<Step>;
  resolve(run: RunRef): Promise<{ asked: number }>;
  close(collector: string, target: string, error: string): Promise<void>;
  /** What `collector_assignments` says is due, each given once, and whether `tendAffiliations` has something to ask. */
  takeDueRuns(): Promise<{ runs: DueRun[]; staleAffiliations: boolean }>;
  /** Seals tokens that were inserted in the clear. */
  sealTokens(): Promise<{ sealed: number; unreadable: number }>;
  /** Asks whose members characters are, where that is not known any more. */
  refreshAffiliations(): Promise<number>;
  /** Partitions of the coming months, and what is older than it is to be kept. */
  maintain(): Promise<{ dropped: string[] }>;
  /** Compares ESI's own description with the shipped limits, once a day. */
  checkLimits(): Promise<{ drifts: number } | undefined>;
}

/** Activities are two lines each: they bind the engine's steps to Temporal's context and errors. */
export function createActivities(engine: EngineContext): Activities {
  const stepContext = () => {
    const signal = cancellationSignal();
    setMaxListeners(0, signal); // each of a chunk's requests listens to it
    const priority = activityInfo().priority?.priorityKey; // what somebody started by hand goes first
    // Bound to this activity: the budget, which all requests share, calls it from wherever its loop was begun.
    const activity = Context.current();
    const heartbeat = (detail: unknown) => activity.heartbeat(detail);
    return { signal, heartbeat, ...(priority ? { priority } : {}) };
  };
  const steps = () => engineSteps(engine, stepContext());
  const key = (collector: string, target: string) => {
    const { workflowId, runId } = activityInfo().workflowExecution!;
    return { collector, target, workflowId, workflowRunId: runId };
  };
  return {
    targets: (collector) => pulsing(() => listTargets(engine, findCollector(collector))),
    begin: (collector, target) => shell(() => steps().begin(key(collector, target))),
    readChunk: (run, chunk) => shell(() => steps().readChunk(run, chunk)),
    publish: (run, final) => pulsing(() => steps().publish(run, final)),
    resolve: (run) => shell(() => steps().resolve(run)),
    close: (collector, target, error) => pulsing(() => steps().close(key(collector, target), error)),
    takeDueRuns: () =>
      pulsing(async () => ({
        runs: await takeDueRuns(engine),
        staleAffiliations: await hasStaleAffiliations(engine),
      })),
    sealTokens: () => pulsing(() => sealTokens(engine)),
    refreshAffiliations: () => shell(() => refreshAffiliations(engine, stepContext())),
    checkLimits: () => shell(() => checkLimits(engine, stepContext())),
    maintain: () =>
      pulsing(async () => {
        const kept = await maintain(engine.db, engine.settings.retention, new Date(engine.clock.now()));
        await sealTokens(engine); // where no application is registered, no dispatcher does it
        return kept;
      }),
  };
}

/** Database work says nothing while a statement runs, so a timer gives the sign of life that shows a dead worker soon. */
const PULSE = 5_000;

async function pulsing<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => heartbeat(), PULSE);
  try {
    return await shell(work);
  } finally {
    clearInterval(timer);
  }
}

/**
 * The only place that turns a verdict into Temporal's words: `wait` comes back after the time the source named and
 * counts as no failure, `fail` is not repeated, everything else is retried by the workflow's policy. Causes stay here:
 * a history is no place for what a driver may have put into them.
 */
async function shell<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CancelledFailure) throw error;
    const message = describeError(error);
    if (!(error instanceof AppError)) throw ApplicationFailure.create({ message, type: 'Unexpected' });
    throw ApplicationFailure.create({
      message,
      type: error.code,
      nonRetryable: error.verdict === 'fail' || error.verdict === 'skip-target',
      ...(error.retryAfter === undefined ? {} : { nextRetryDelay: error.retryAfter }),
      ...(error.verdict === 'wait' ? { category: ApplicationFailureCategory.BENIGN } : {}),
    });
  }
}
