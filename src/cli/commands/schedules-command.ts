import { collectors } from '../../collectors/index.ts';
import { formatTime } from '../../lib/format.ts';
import { listSchedules } from '../../temporal/schedules/list-schedules.ts';
import { DISPATCHER, MAINTENANCE } from '../../temporal/schedules/plan-schedules.ts';
import { type PrintingCommand, succeeded, withTemporal } from '../command.ts';
import { formatTable } from '../table.ts';

/** Lists the schedules with their last and next runs. */
export const schedulesCommand: PrintingCommand = (config) =>
  withTemporal(config, async (client) => {
    const schedules = await listSchedules(client, [
      ...collectors.map((collector) => collector.name),
      DISPATCHER,
      MAINTENANCE,
    ]);
    const now = new Date();
    const formatMoment = (moment: string | null) =>
      moment === null ? '-' : formatTime(new Date(moment), now);
    const rows = schedules.map((schedule) => [
      schedule.id,
      schedule.paused ? `paused (${schedule.note})` : 'active',
      schedule.spec,
      formatMoment(schedule.next),
      formatMoment(schedule.last),
    ]);
    return succeeded(formatTable(['schedule', 'state', 'runs', 'next', 'last'], rows), schedules);
  });
