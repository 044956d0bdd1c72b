import { setMaxListeners } from 'node:events';
import { activityInfo, ApplicationFailure, cancellationSignal, Context } from '@temporalio/activity';
import { ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { findCollector } from '../collectors/index.ts';
import { checkEsiLimits } from '../engine/check-esi-limits.ts';
import type { EngineContext, StepContext } from '../engine/engine-context.ts';
import { listTargets } from '../engine/list-targets.ts';
import { type DueRun, takeDueRuns } from '../engine/owners/due-runs.ts';
import { hasStaleAffiliations, refreshAffiliations } from '../engine/owners/refresh-affiliations.ts';
import { encryptTokens } from '../engine/owners/token-service.ts';
import { beginStep, closeStep, enrichStep, publishStep, readChunkStep } from '../engine/run/engine-steps.ts';
import type { Chunk, RunRef, Step } from '../engine/run/run-steps.ts';
import { AppError, describeError } from '../lib/errors.ts';
import type { RunKey } from '../store/sets/runs.ts';
import { maintain } from '../store/maintenance.ts';

/** What workflows may call. Results are ids and counts: rows and secrets never enter a history. */
export interface Activities {
  /** The targets of a collector by the settings and assignments; `['']` when it takes none. */
  listTargets(collector: string): Promise<string[]>;
  begin(collector: string, target: string): Promise<Step>;
  readChunk(run: RunRef, chunk: Chunk): Promise<{ pages: number }>;
  enrich(run: RunRef): Promise<void>;
  publish(run: RunRef, isLastAttempt: boolean): Promise<Step>;
  close(collector: string, target: string, error: string): Promise<void>;
  /** The assignments that are due, each returned once, and whether `refreshAffiliations` has something to request. */
  takeDueRuns(): Promise<{ runs: DueRun[]; hasStaleAffiliations: boolean }>;
  /** Encrypts tokens that were inserted as plaintext. */
  encryptTokens(): Promise<{ encrypted: number; unreadable: number }>;
  /** Requests the corporations of characters whose affiliation may have changed. */
  refreshAffiliations(): Promise<number>;
  /** Creates the partitions of the coming months, and deletes what is older than its retention. */
  maintain(): Promise<{ dropped: string[] }>;
  /** Compares ESI's own description with the built-in limits, once a day. */
  checkEsiLimits(): Promise<{ drifts: number } | undefined>;
}

/** Creates the activities: each binds one function of the engine to Temporal's context and errors. */
export function createActivities(engine: EngineContext): Activities {
  const runKey = (collector: string, target: string): RunKey => {
    const { workflowId, runId } = activityInfo().workflowExecution!;
    return { collector, target, workflowId, workflowRunId: runId };
  };
  return {
    listTargets: (collector) => runActivity(() => listTargets(engine, findCollector(collector))),
    begin: (collector, target) => runActivity((step) => beginStep(engine, runKey(collector, target), step)),
    readChunk: (run, chunk) =>
      runActivity(async (step) => ({ pages: await readChunkStep(engine, run, chunk, step) })),
    enrich: (run) => runActivity((step) => enrichStep(engine, run, step)),
    publish: (run, isLastAttempt) => runActivity((step) => publishStep(engine, run, isLastAttempt, step)),
    close: (collector, target, error) =>
      runActivity(() => closeStep(engine, runKey(collector, target), error)),
    takeDueRuns: () =>
      runActivity(async () => ({
        runs: await takeDueRuns(engine),
        hasStaleAffiliations: await hasStaleAffiliations(engine),
      })),
    encryptTokens: () => runActivity(() => encryptTokens(engine)),
    refreshAffiliations: () => runActivity((step) => refreshAffiliations(engine, step)),
    checkEsiLimits: () => runActivity((step) => checkEsiLimits(engine, step)),
    maintain: () =>
      runActivity(async () => {
        const now = new Date(engine.clock.now());
        const result = await maintain(engine.db, engine.settings.retention, now);
        await encryptTokens(engine); // without an SSO application no dispatcher does it
        return result;
      }),
  };
}

/** Milliseconds between heartbeats: two may be lost within the heartbeat timeout. */
export const HEARTBEAT_INTERVAL = 2_000;

/**
 * Runs an activity. A timer sends its heartbeats, because a request or an SQL statement may take longer than the
 * heartbeat timeout: a missing heartbeat means that the worker is dead, not that its work is slow.
 */
async function runActivity<T>(work: (step: StepContext) => Promise<T>): Promise<T> {
  const signal = cancellationSignal();
  setMaxListeners(0, signal); // each request of a chunk listens to it
  const priority = activityInfo().priority?.priorityKey; // runs that a person started go first
  // Bound to this activity, because the rate limiter calls it for requests of other activities as well.
  const context = Context.current();
  let lastDetail: unknown;
  const heartbeat = (detail: unknown = lastDetail) => {
    lastDetail = detail;
    context.heartbeat(detail);
  };
  const timer = setInterval(heartbeat, HEARTBEAT_INTERVAL);
  try {
    return await work({ signal, heartbeat, ...(priority ? { priority } : {}) });
  } catch (error) {
    throw toFailure(error, activityInfo().attempt);
  } finally {
    clearInterval(timer);
  }
}

/** Milliseconds before the first retry of an activity that failed. */
const FIRST_RETRY = 1_000;

/** Milliseconds. A run goes on soon after the trouble; trouble of ESI that lasts is what its circuit breakers wait for. */
const MAX_RETRY = 3_000;

/**
 * The only place that turns a verdict into a Temporal failure: `wait` is retried after the time that the source stated
 * and is no fault, `fail` and `skip-target` are not retried, others after a second and more. Causes are left out, because a
 * driver may have put anything into them and a history is readable.
 */
function toFailure(error: unknown, attempt: number): Error {
  if (error instanceof CancelledFailure) return error;
  const message = describeError(error);
  const nextRetryDelay = Math.min(FIRST_RETRY * 2 ** (attempt - 1), MAX_RETRY);
  if (!(error instanceof AppError))
    return ApplicationFailure.create({ message, type: 'Unexpected', nextRetryDelay });
  return ApplicationFailure.create({
    message,
    type: error.code,
    nonRetryable: error.verdict === 'fail' || error.verdict === 'skip-target',
    nextRetryDelay: error.retryAfter ?? nextRetryDelay,
    ...(error.verdict === 'wait' ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}
