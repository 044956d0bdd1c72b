import { createHash } from 'node:crypto';
import type { ScheduleOptions } from '@temporalio/client';
import type { AnyCollector, CronSetting, EnableSetting, ScheduleSpec } from '../../collectors/define.ts';
import { parseDuration } from '../../lib/duration.ts';

/** The settings that the schedules depend on. */
export interface ScheduleSettings {
  readonly enabled: Readonly<Record<EnableSetting, boolean>>;
  readonly intervals: Readonly<Record<'MARKET_ORDERS_INTERVAL', string>>;
  readonly crons: Readonly<Record<CronSetting, string>>;
  /** Whether an SSO application is configured, without which nothing of owners can be collected. */
  readonly owners: boolean;
}

/** A schedule as it should be. */
export interface WantedSchedule {
  readonly id: string;
  readonly description: string;
  readonly spec: ScheduleOptions['spec'];
  readonly policies: NonNullable<ScheduleOptions['policies']>;
  readonly action: ScheduleOptions['action'];
  /** Changes when anything of the above does. It is kept in the action's memo, where it can be read back. */
  readonly hash: string;
}

/**
 * Workflow execution timeout, so that a stuck run does not stop its collector for ever. A day holds the longest run:
 * market history ends when its day rolls over, and a universe import from ESI alone takes half a day beside the market.
 */
export const LONGEST_RUN = '24 hours';

/** Spreads the starts, so that a thousand installations do not send requests in the same second. */
const JITTER = '10s';

/** Milliseconds between two runs; undefined for a cron. */
export function intervalOf(schedule: ScheduleSpec, settings: ScheduleSettings): number | undefined {
  if ('cronSetting' in schedule) return undefined;
  return parseDuration('every' in schedule ? schedule.every : settings.intervals[schedule.everySetting]);
}

function timing(
  collector: AnyCollector,
  settings: ScheduleSettings,
): Pick<WantedSchedule, 'spec' | 'policies'> {
  const { schedule } = collector;
  // A run over all targets skips those that are running, so such runs may overlap and a slow region delays no other. With a single
  // target a second run would find nothing to do.
  const overlap = 'for' in collector && collector.for ? ('ALLOW_ALL' as const) : ('SKIP' as const);
  if ('cronSetting' in schedule) {
    const spec = { cronExpressions: [settings.crons[schedule.cronSetting]], timezone: 'UTC', jitter: JITTER };
    return { spec, policies: { overlap, catchupWindow: '1 day' } };
  }
  const every = intervalOf(schedule, settings)!;
  // Intervals count from the epoch, so without an offset all collectors would start at the same moment.
  const offset = createHash('sha256').update(collector.name).digest().readUInt32BE(0) % every;
  return {
    spec: { intervals: [{ every, offset }], jitter: Math.min(10_000, every / 10) },
    // ESI only answers for the present, so starts that were missed while nothing ran are dropped. 10 s is the minimum.
    policies: { overlap, catchupWindow: Math.max(10_000, Math.min(every, 60_000)) },
  };
}

/** The id of the schedule of the database's maintenance. */
export const MAINTENANCE = 'maintenance';

type Draft = Omit<WantedSchedule, 'hash'>;

const withHash = (draft: Draft): WantedSchedule => ({
  ...draft,
  hash: createHash('sha256').update(JSON.stringify(draft)).digest('hex').slice(0, 16),
});

function startWorkflow(
  workflowType: string,
  id: string,
  description: string,
  args: unknown[],
  workflowExecutionTimeout: Draft['action']['workflowExecutionTimeout'] = LONGEST_RUN,
): Draft['action'] {
  return {
    type: 'startWorkflow',
    workflowType,
    workflowId: id, // the server appends the scheduled time
    taskQueue: 'collect',
    args,
    workflowExecutionTimeout,
    staticSummary: description,
  };
}

/** Hourly, so that a machine that only runs by day is served too. */
function housekeeping(): WantedSchedule {
  const description = 'Partitions of the coming months, retention';
  return withHash({
    id: MAINTENANCE,
    description,
    spec: { intervals: [{ every: 3_600_000, offset: 1_140_000 }], jitter: JITTER }, // at 19 minutes past, where no other starts
    policies: { overlap: 'SKIP', catchupWindow: 60_000 },
    action: startWorkflow('maintain', MAINTENANCE, description, []),
  });
}

/** Id of the schedule that starts the assignments that are due. */
export const DISPATCHER = 'owners';

/** A dispatch takes a second; one that is stuck must not hold up the following ones for long. */
const DISPATCH_TIMEOUT = '15 minutes';

/** Every minute, because an assignment takes effect within one. */
function dispatcher(): WantedSchedule {
  const description = 'Starts what is due for characters and corporations';
  return withHash({
    id: DISPATCHER,
    description,
    spec: { intervals: [{ every: 60_000 }] },
    policies: { overlap: 'SKIP', catchupWindow: 10_000 },
    action: startWorkflow('dispatch', DISPATCHER, description, [], DISPATCH_TIMEOUT),
  });
}

/** Whether a collector has a schedule of its own. The dispatcher starts the collectors of owners. */
export function isScheduled(collector: AnyCollector, settings: ScheduleSettings): boolean {
  if ('resources' in collector) return false;
  if ('procedure' in collector && collector.procedure === 'structures') return settings.owners;
  return collector.enabledBy === undefined || settings.enabled[collector.enabledBy];
}

/** The schedules by the settings: one per enabled collector, the owners' dispatcher, and housekeeping. */
export function planSchedules(
  collectors: readonly AnyCollector[],
  settings: ScheduleSettings,
): WantedSchedule[] {
  const wanted = collectors
    .filter((collector) => isScheduled(collector, settings))
    .map((collector) => {
      const { name, description } = collector;
      const staleAfter = intervalOf(collector.schedule, settings);
      const args = [
        { collector: name, waitUntilDue: true, ...(staleAfter === undefined ? {} : { staleAfter }) },
      ];
      return withHash({
        id: name,
        description,
        ...timing(collector, settings),
        action: startWorkflow('collect', name, description, args),
      });
    });
  return [...wanted, ...(settings.owners ? [dispatcher()] : []), housekeeping()];
}
