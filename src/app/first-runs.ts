import type { Client } from '@temporalio/client';
import { findCollector } from '../collectors/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import type { App } from './create-app.ts';
import { currentProgress } from './status.ts';

/** The import of the universe takes seconds to a minute; the market waits for it no longer than this (ms). */
const UNIVERSE_TIMEOUT = 120_000;

const POLL_INTERVAL = 1_000;

/**
 * Triggers the schedules of what was never collected, instead of waiting for their next time: the universe first, because
 * orders refer to its rows. A paused schedule is not triggered. Nothing is lost when the process ends meanwhile, since the
 * schedules start the runs anyway.
 */
export async function startFirstRuns(
  app: App,
  client: Client,
  settings: ScheduleSettings,
  signal: AbortSignal,
): Promise<void> {
  const pending = await neverCollected(app, settings);
  if (pending.delete('universe')) {
    await trigger(client, 'universe');
    const deadline = Date.now() + UNIVERSE_TIMEOUT;
    while (Date.now() < deadline && !(await isUniverseCollected(app)))
      await systemClock.sleep(POLL_INTERVAL, signal);
  }
  signal.throwIfAborted();
  const stillPending = await neverCollected(app, settings);
  for (const id of pending) if (stillPending.has(id)) await trigger(client, id);
}

/** The scheduled collectors without data that are not running either. The dispatcher starts those of owners. */
async function neverCollected(app: App, settings: ScheduleSettings): Promise<Set<string>> {
  const { targets } = await currentProgress(app, settings);
  const names = targets.filter((t) => t.readAt === null && !t.running).map((t) => t.collector);
  return new Set(names.filter((name) => !('resources' in findCollector(name))));
}

async function isUniverseCollected(app: App): Promise<boolean> {
  const set = await app.db.prisma.publishedSet.findFirst({
    where: { collector: 'universe', run_id: { gt: 0 } },
  });
  return set !== null;
}

async function trigger(client: Client, id: string): Promise<void> {
  const schedule = client.schedule.getHandle(id);
  const { state } = await schedule.describe();
  if (!state.paused) await schedule.trigger('SKIP');
}
