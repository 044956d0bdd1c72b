import { readStagedExpiry, storeExpires } from '../../store/sets/published-snapshots.ts';
import { closeRun, findOpenRuns, readRunAge, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext } from '../engine-context.ts';
import type { RunRef } from './run-steps.ts';

/** Closes what a workflow run left open as failed. The `Expires` that ESI stated is kept. */
export async function closeFailedRuns(engine: EngineContext, key: RunKey, error: string): Promise<void> {
  for (const open of await findOpenRuns(engine.db.pool, key))
    await closeFailedRun(engine, { ...key, ...open }, error);
}

/** Closes one run as failed. */
export async function closeFailedRun(engine: EngineContext, run: RunRef, error: string): Promise<void> {
  const { pool } = engine.db;
  const now = engine.clock.now();
  const { expires } = await readRunAge(pool, run.runId);
  if (!(await closeRun(pool, run.runId, { outcome: 'failed', error }, new Date(now)))) return;
  await storeExpires(pool, run, (await readStagedExpiry(pool, run.runId)) ?? expires);
  engine.metrics.runFinished(run.collector, 'failed', 0, now);
}
