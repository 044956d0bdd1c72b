import { type Client, ScheduleNotFoundError } from '@temporalio/client';
import { formatInterval } from '../../lib/format.ts';

/** A schedule as Temporal has it. Times are ISO 8601. */
export interface ScheduleState {
  readonly id: string;
  readonly paused: boolean;
  readonly note: string;
  readonly spec: string;
  readonly next: string | null;
  readonly last: string | null;
}

/** Those of the schedules that exist. */
export async function listSchedules(client: Client, ids: readonly string[]): Promise<ScheduleState[]> {
  const found = await Promise.all(
    ids.map(async (id): Promise<ScheduleState | undefined> => {
      try {
        const { state, info, spec } = await client.schedule.getHandle(id).describe();
        const [interval] = spec.intervals ?? [];
        return {
          id,
          paused: state.paused,
          note: state.note ?? '',
          spec: interval ? formatInterval(interval.every) : 'by calendar (UTC)',
          next: info.nextActionTimes[0]?.toISOString() ?? null,
          last: info.recentActions.at(-1)?.scheduledAt.toISOString() ?? null,
        };
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return undefined;
        throw error;
      }
    }),
  );
  return found.filter((state) => state !== undefined);
}
