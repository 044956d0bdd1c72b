import { closeAbandoned, closeRun, openRun, readRunResult, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext } from '../engine-context.ts';
import type { RunRef, Step } from './run-steps.ts';

/** A procedure is a collector whose source is not one snapshot of one route. Its run is opened and closed here. */

/** The open run of a procedure, or its result when a repeated step finds it closed. */
export async function openProcedureRun(
  engine: EngineContext,
  key: RunKey,
): Promise<{ readonly run: RunRef } | { readonly closed: Step }> {
  const { pool } = engine.db;
  const now = new Date(engine.clock.now());
  const runId = await openRun(pool, key, now);
  const result = await readRunResult(pool, runId);
  if (result) return { closed: { state: 'done', summary: { ...result, runId } } };
  await closeAbandoned(pool, key, runId, now);
  return { run: { collector: key.collector, target: key.target, runId } };
}

/** How a procedure ended. */
export interface ProcedureResult {
  readonly outcome: 'published' | 'unchanged' | 'refused';
  readonly inserted?: number;
  readonly changed?: number;
  /** Rows for the metrics. */
  readonly rows: number;
  readonly lastModified?: Date;
  /** Stored with the run. */
  readonly error?: string | undefined;
  /** Stored with the run: what it has to say besides its outcome. */
  readonly note?: string | undefined;
  /** Shown in the summary only. */
  readonly detail?: string | undefined;
}

/** Closes the run of a procedure. */
export async function closeProcedureRun(
  engine: EngineContext,
  { collector, runId }: RunRef,
  { rows, detail, ...result }: ProcedureResult,
): Promise<Step> {
  const { pool } = engine.db;
  const now = engine.clock.now();
  await closeRun(pool, runId, result, new Date(now));
  engine.metrics.runFinished(collector, result.outcome, rows, now);
  const summary = { outcome: result.outcome, ...(await readRunResult(pool, runId)), runId };
  return { state: 'done', summary: detail === undefined ? summary : { ...summary, detail } };
}
