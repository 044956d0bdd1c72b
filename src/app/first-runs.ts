import type { Client } from '@temporalio/client';
import { findCollector } from '../collectors/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import { currentProgress } from './status.ts';
import type { App } from './create-app.ts';

/** The import of the universe takes seconds to a minute; the market waits for it no longer than this. */
const UNIVERSE_PATIENCE = 120_000;

/**
 * On a database where something was never collected, its schedules are triggered at once instead of waiting for their
 * time: the universe first, since orders name its rows. An operator's pause is respected, and nothing is lost when this
 * process ends meanwhile: the schedules come round by themselves.
 */
export async function startFirstRuns(
  app: App,
  client: Client,
  settings: ScheduleSettings,
  signal: AbortSignal,
): Promise<void> {
  const never = async () => {
    const { targets } = await currentProgress(app, settings);
    const waiting = targets.filter((t) => t.readAt === null && !t.running).map((t) => t.collector);
    return new Set(waiting.filter(hasSchedule)); // owners' collectors are the dispatcher's
  };
  const waiting = await never();
  if (waiting.delete('universe')) {
    await trigger(client, 'universe');
    const until = Date.now() + UNIVERSE_PATIENCE;
    while (Date.now() < until && !(await isCollected(app))) await systemClock.sleep(1_000, signal);
  }
  signal.throwIfAborted();
  const still = await never();
  for (const id of waiting) if (still.has(id)) await trigger(client, id);
}

function hasSchedule(name: string): boolean {
  return !('resources' in findCollector(name));
}

async function isCollected(app: App): Promise<boolean> {
  const set = await app.db.prisma.publishedSet.findFirst({
    where: { collector: 'universe', run_id: { gt: 0 } },
  });
  return set !== null;
}

async function trigger(client: Client, id: string): Promise<void> {
  const handle = client.schedule.getHandle(id);
  const { state } = await handle.describe();
  if (!state.paused) await handle.trigger('SKIP');
}
