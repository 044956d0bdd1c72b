import { keepExpires, readStagedExpiry } from '../store/published-sets.ts';
import { closeRun, findOpenRuns, type RunKey } from '../store/runs.ts';
import type { Ports } from './ports.ts';
import type { RunRef } from './steps.ts';

/** Closes what a workflow run left open as failed. What ESI said of `Expires` holds all the same. */
export async function closeFailed(ports: Ports, key: RunKey, error: string): Promise<void> {
  for (const open of await findOpenRuns(ports.db.pool, key))
    await closeRunFailed(ports, { ...key, ...open }, error);
}

/** Closes one run as failed. */
export async function closeRunFailed(ports: Ports, run: RunRef, error: string): Promise<void> {
  const now = ports.clock.now();
  if (!(await closeRun(ports.db.pool, run.runId, { outcome: 'failed', error }, new Date(now)))) return;
  const expires = await readStagedExpiry(ports.db.pool, run.runId);
  await keepExpires(ports.db.pool, run, expires);
  ports.metrics.runFinished(run.collector, 'failed', 0, now);
}
