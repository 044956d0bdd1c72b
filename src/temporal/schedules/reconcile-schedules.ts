import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError } from '@temporalio/client';
import type { WantedSchedule } from './plan-schedules.ts';

/** What was done about a schedule. */
export type ScheduleAction = 'created' | 'updated' | 'unchanged' | 'deleted';

/**
 * Reconciles Temporal's schedules with the wanted ones: missing ones are created, changed ones updated (an operator's
 * pause and its note stay), and those of `ours`, the ids of all our schedules, that are not wanted are deleted. Safe to
 * repeat and to run twice at once.
 */
export async function reconcileSchedules(
  client: Client,
  wanted: readonly WantedSchedule[],
  ours: readonly string[],
): Promise<Record<string, ScheduleAction>> {
  const done: Record<string, ScheduleAction> = {};
  for (const schedule of wanted) done[schedule.id] = await reconcileOne(client, schedule);
  for (const id of ours) {
    if (wanted.some((schedule) => schedule.id === id)) continue;
    if (await remove(client, id)) done[id] = 'deleted';
  }
  return done;
}

async function reconcileOne(client: Client, wanted: WantedSchedule): Promise<ScheduleAction> {
  const handle = client.schedule.getHandle(wanted.id);
  const action = { ...wanted.action, memo: { specHash: wanted.hash } };
  try {
    const current = await handle.describe();
    // The server returns specs in a form of its own, so the hash of what was sent is compared instead.
    if (current.action.type === 'startWorkflow' && current.action.memo?.['specHash'] === wanted.hash)
      return 'unchanged';
    await handle.update((previous) => ({
      spec: wanted.spec,
      policies: wanted.policies,
      action,
      state: previous.state,
      ...(previous.typedSearchAttributes ? { typedSearchAttributes: previous.typedSearchAttributes } : {}),
    }));
    return 'updated';
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  try {
    const { id: scheduleId, spec, policies } = wanted;
    await client.schedule.create({ scheduleId, spec, policies, action });
    return 'created';
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return 'unchanged'; // another process was faster
    throw error;
  }
}

async function remove(client: Client, id: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(id).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}
