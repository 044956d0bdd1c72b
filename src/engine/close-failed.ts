import { keepExpires } from '../store/published-sets.ts';
import { closeRun, findOpenRun, type RunKey } from '../store/runs.ts';
import type { Ports } from './ports.ts';

/** Closes what a workflow run left open as failed. What ESI said of `Expires` holds all the same. */
export async function closeFailed(ports: Ports, key: RunKey, error: string): Promise<void> {
  const now = ports.clock.now();
  const open = await findOpenRun(ports.db.pool, key);
  if (!open) return;
  await closeRun(ports.db.pool, open.runId, { outcome: 'failed', error }, new Date(now));
  await keepExpires(ports.db.pool, { ...key, part: open.part }, open.runId);
  ports.metrics.runFinished(key.collector, 'failed', 0, now);
}
