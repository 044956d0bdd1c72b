import { storeExpires, readStagedExpiry } from '../../store/sets/published-snapshots.ts';
import { closeRun, findOpenRuns, type RunKey } from '../../store/sets/runs.ts';
import type { EngineContext } from '../engine-context.ts';
import type { RunRef } from './run-steps.ts';

/** Closes what a workflow run left open as failed. What ESI said of `Expires` holds all the same. */
export async function closeFailed(engine: EngineContext, key: RunKey, error: string): Promise<void> {
  for (const open of await findOpenRuns(engine.db.pool, key))
    await closeRunFailed(engine, { ...key, ...open }, error);
}

/** Closes one run as failed. */
export async function closeRunFailed(engine: EngineContext, run: RunRef, error: string): Promise<void> {
  const now = engine.clock.now();
  if (!(await closeRun(engine.db.pool, run.runId, { outcome: 'failed', error }, new Date(now)))) return;
  const expires = await readStagedExpiry(engine.db.pool, run.runId);
  await storeExpires(engine.db.pool, run, expires);
  engine.metrics.runFinished(run.collector, 'failed', 0, now);
}
