import type { Client } from '@temporalio/client';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { WantedSchedule } from './plan-schedules.ts';
import { createMissingSchedules } from './reconcile-schedules.ts';

/** A schedule that is gone is back within a minute, also where one check fails. It costs one small request per schedule. */
const CHECK_INTERVAL_MS = 25_000;

/**
 * Creates schedules again that somebody deleted, until `signal` is aborted: without its schedule a collector would stop in
 * silence. Changed and paused ones stay as they are. Never rejects: while Temporal does not respond, the next check tries
 * again, and `/health` says so.
 */
export async function keepSchedules(
  client: Client,
  wanted: readonly WantedSchedule[],
  { log, signal, clock = systemClock }: { log: Log; signal: AbortSignal; clock?: Clock },
): Promise<void> {
  while (await wait(clock, signal)) {
    try {
      const schedules = await createMissingSchedules(client, wanted);
      if (schedules.length === 0) continue;
      log.warn(
        { schedules },
        'schedules were deleted at the Temporal server and are created again; to stop a collector, pause its schedule',
      );
    } catch (error) {
      log.debug({ error: describeError(error) }, 'could not check the schedules');
    }
  }
}

/** Returns whether the time passed without an abort. */
async function wait(clock: Clock, signal: AbortSignal): Promise<boolean> {
  await clock.sleep(CHECK_INTERVAL_MS, signal).catch(() => undefined);
  return !signal.aborted;
}
