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
  const now = engine.clock.now();
  // Together, because the next run would not know what this one has read.
  const isClosed = await engine.db.transaction(async (client) => {
    const { expires } = await readRunAge(client, run.runId);
    if (!(await closeRun(client, run.runId, { outcome: 'failed', error }, new Date(now)))) return false;
    await storeExpires(client, run, (await readStagedExpiry(client, run.runId)) ?? expires);
    return true;
  });
  if (isClosed) engine.metrics.runFinished(run.collector, 'failed', 0, now);
}
