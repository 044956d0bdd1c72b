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

/** Creates those of the wanted schedules that do not exist, and returns their ids. Changes no existing one. */
export async function createMissingSchedules(
  client: Client,
  wanted: readonly WantedSchedule[],
): Promise<string[]> {
  const created: string[] = [];
  for (const schedule of wanted) {
    if (await exists(client, schedule.id)) continue;
    if ((await create(client, schedule)) === 'created') created.push(schedule.id);
  }
  return created;
}

async function exists(client: Client, id: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(id).describe();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

/** The action of a schedule, with the hash by which it is recognized. */
const actionOf = (wanted: WantedSchedule) => ({ ...wanted.action, memo: { specHash: wanted.hash } });

async function reconcileOne(client: Client, wanted: WantedSchedule): Promise<ScheduleAction> {
  const handle = client.schedule.getHandle(wanted.id);
  try {
    const current = await handle.describe();
    // The server returns specs in a form of its own, so the hash of what was sent is compared instead.
    if (current.action.type === 'startWorkflow' && current.action.memo?.['specHash'] === wanted.hash)
      return 'unchanged';
    await handle.update((previous) => ({
      spec: wanted.spec,
      policies: wanted.policies,
      action: actionOf(wanted),
      state: previous.state,
      ...(previous.typedSearchAttributes ? { typedSearchAttributes: previous.typedSearchAttributes } : {}),
    }));
    return 'updated';
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  return create(client, wanted);
}

async function create(client: Client, wanted: WantedSchedule): Promise<ScheduleAction> {
  try {
    const { id: scheduleId, spec, policies } = wanted;
    await client.schedule.create({ scheduleId, spec, policies, action: actionOf(wanted) });
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
