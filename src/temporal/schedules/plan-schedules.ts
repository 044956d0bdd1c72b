import { createHash } from 'node:crypto';
import type { ScheduleOptions } from '@temporalio/client';
import type { AnyCollector, CronSetting, ScheduleSpec, Switch } from '../../collectors/define.ts';
import { parseDuration } from '../../lib/clock.ts';

/** What the schedules depend on of the settings. */
export interface ScheduleSettings {
  readonly switches: Readonly<Record<Switch, boolean>>;
  readonly intervals: Readonly<Record<'MARKET_ORDERS_INTERVAL', string>>;
  readonly crons: Readonly<Record<CronSetting, string>>;
  /** An SSO application is set up: what owners have can be collected. */
  readonly owners: boolean;
}

export interface WantedSchedule {
  readonly id: string;
  readonly about: string;
  readonly spec: ScheduleOptions['spec'];
  readonly policies: NonNullable<ScheduleOptions['policies']>;
  readonly action: ScheduleOptions['action'];
  /** Changes when anything of the above does; kept in the action's memo, where it can be read back. */
  readonly hash: string;
}

/**
 * One stuck run must not stop its collector for ever. A day holds the longest: history ends itself when its day rolls
 * over, and the universe from ESI alone takes half a day beside the market.
 */
export const LONGEST_RUN = '24 hours';

/** Spreads starts a little, so that a thousand installations do not ask in the same second. */
const JITTER = '10s';

/** Milliseconds of a rhythm's interval; undefined for a cron. */
export function intervalOf(rhythm: ScheduleSpec, settings: ScheduleSettings): number | undefined {
  if ('cronSetting' in rhythm) return undefined;
  return parseDuration('every' in rhythm ? rhythm.every : settings.intervals[rhythm.everySetting]);
}

function timing(
  collector: AnyCollector,
  settings: ScheduleSettings,
): Pick<WantedSchedule, 'spec' | 'policies'> {
  const { rhythm } = collector;
  // A sweep leaves targets that are under way to the sweep that began them, so one slow region stops no other. Where
  // there is one target, a second run would find nothing to do.
  const overlap = 'for' in collector && collector.for ? ('ALLOW_ALL' as const) : ('SKIP' as const);
  if ('cronSetting' in rhythm) {
    const spec = { cronExpressions: [settings.crons[rhythm.cronSetting]], timezone: 'UTC', jitter: JITTER };
    return { spec, policies: { overlap, catchupWindow: '1 day' } };
  }
  const every = intervalOf(rhythm, settings)!;
  // Intervals count from the epoch: without an offset all collectors would start at the same moment.
  const offset = createHash('sha256').update(collector.name).digest().readUInt32BE(0) % every;
  return {
    spec: { intervals: [{ every, offset }], jitter: Math.min(10_000, every / 10) },
    // What was missed while nothing ran cannot be had afterwards: ESI answers for now only. 10 s is the least allowed.
    policies: { overlap, catchupWindow: Math.max(10_000, Math.min(every, 60_000)) },
  };
}

type Draft = Omit<WantedSchedule, 'hash'>;

const withHash = (draft: Draft): WantedSchedule => ({
  ...draft,
  hash: createHash('sha256').update(JSON.stringify(draft)).digest('hex').slice(0, 16),
});

function startWorkflow(
  workflowType: string,
  id: string,
  about: string,
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
    staticSummary: about,
  };
}

/** Partitions, retention: hourly, so that a machine that is on by day alone gets its turn. */
function housekeeping(): WantedSchedule {
  const about = 'Partitions of the coming months, retention';
  return withHash({
    id: 'maintenance',
    about,
    spec: { intervals: [{ every: 3_600_000, offset: 1_140_000 }], jitter: JITTER }, // at 19 minutes past, where no other starts
    policies: { overlap: 'SKIP', catchupWindow: 60_000 },
    action: startWorkflow('maintain', 'maintenance', about, []),
  });
}

/** Id of the schedule that starts what `collector_assignments` says is due. */
export const DISPATCHER = 'owners';

/** A look takes a second; one that is stuck must not keep all others away for long. */
const LONGEST_LOOK = '15 minutes';

/** Every minute, since an assignment takes effect within one. What is still under way has taken what was due. */
function dispatcher(): WantedSchedule {
  const about = 'Starts what is due for characters and corporations';
  return withHash({
    id: DISPATCHER,
    about,
    spec: { intervals: [{ every: 60_000 }] },
    policies: { overlap: 'SKIP', catchupWindow: 10_000 },
    action: startWorkflow('dispatch', DISPATCHER, about, [], LONGEST_LOOK),
  });
}

/** Whether a collector runs by a schedule of its own: those of owners are started by the dispatcher. */
export function isScheduled(collector: AnyCollector, settings: ScheduleSettings): boolean {
  if ('parts' in collector) return false;
  if ('procedure' in collector && collector.procedure === 'structures') return settings.owners;
  return collector.switch === undefined || settings.switches[collector.switch];
}

/**
 * The schedules that the settings ask for: one per collector that is switched on, the owners' dispatcher, and
 * housekeeping.
 */
export function planSchedules(
  collectors: readonly AnyCollector[],
  settings: ScheduleSettings,
): WantedSchedule[] {
  const wanted = collectors
    .filter((collector) => isScheduled(collector, settings))
    .map((collector) => {
      const { name, about } = collector;
      const staleAfter = intervalOf(collector.rhythm, settings);
      const args = [{ collector: name, patient: true, ...(staleAfter === undefined ? {} : { staleAfter }) }];
      return withHash({
        id: name,
        about,
        ...timing(collector, settings),
        action: startWorkflow('collect', name, about, args),
      });
    });
  return [...wanted, ...(settings.owners ? [dispatcher()] : []), housekeeping()];
}
