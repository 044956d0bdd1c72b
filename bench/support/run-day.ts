import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { refreshAffiliations } from '../../src/engine/owners/refresh-affiliations.ts';
import { type DueRun, takeDueRuns } from '../../src/engine/owners/due-runs.ts';
import { encryptTokens } from '../../src/engine/owners/token-service.ts';
import { describeError } from '../../src/lib/errors.ts';
import { maintain } from '../../src/store/maintenance.ts';
import { type DayContext, MIDNIGHT } from './day-context.ts';
import type { DayStatistics } from './day-statistics.ts';
import { timed } from './report.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** ESI activities that the product's worker runs at the same time. */
const CONCURRENCY = 10;

/** Minutes between changes of a character's data: a payment, moved assets, an order, a job. */
const CHANGES_EVERY = 240;

/** The share of the assets that changes each time. */
const ASSET_CHURN = 0.02;

export interface Day extends DayContext {
  readonly characterIds: readonly number[];
  readonly statistics: DayStatistics;
  /** Called at the end of every hour. */
  readonly hourDone: (hour: number) => Promise<void>;
}

/** The real seconds of every dispatcher run, and the number of due assignments that were still running. */
export interface DispatcherTimes {
  readonly seconds: number[];
  running: number;
}

/** The queue from which workers take runs. */
class RunQueue {
  readonly running = new Set<string>();
  private readonly waiting: DueRun[] = [];
  private readonly idle: (() => void)[] = [];
  private closed = false;

  /** Returns false if the same run has not ended, as Temporal does for a business id. */
  add(run: DueRun): boolean {
    const id = `${run.collector}/${run.target}`;
    if (this.running.has(id)) return false;
    this.running.add(id);
    this.waiting.push(run);
    this.idle.shift()?.();
    return true;
  }

  done({ collector, target }: DueRun): void {
    this.running.delete(`${collector}/${target}`);
  }

  close(): void {
    this.closed = true;
    for (const wake of this.idle.splice(0)) wake();
  }

  async next(): Promise<DueRun | undefined> {
    while (this.waiting.length === 0 && !this.closed)
      await new Promise<void>((resolve) => this.idle.push(resolve));
    return this.closed ? undefined : this.waiting.shift();
  }
}

/** Runs the dispatcher every minute and workers for its runs. Data of characters does not change in the last hour. */
export async function runDay(day: Day, hours: number): Promise<DispatcherTimes> {
  const { clock } = day;
  const queue = new RunQueue();
  const workers = Array.from({ length: CONCURRENCY }, () => runWorker(day, queue));
  const times: DispatcherTimes = { seconds: [], running: 0 };
  for (let minute = 0; minute < hours * 60; minute++) {
    const at = MIDNIGHT + minute * MINUTE;
    if (minute < (hours - 1) * 60) changeData(day, minute);
    if (clock.now() < at) await clock.sleep(at - clock.now());
    // The schedule skips a run of the dispatcher while the previous one takes longer than a minute.
    if (clock.now() < at + MINUTE) await dispatch(day, queue, times);
    if (minute % 60 === 59) {
      await maintain(day.context.db, day.context.settings.retention, new Date(clock.now()));
      await day.hourDone((minute + 1) / 60);
    }
  }
  const end = MIDNIGHT + hours * HOUR;
  await clock.sleep(Math.max(0, end - clock.now()));
  queue.close();
  await Promise.all(workers);
  return times;
}

function changeData({ simulator: { owners }, characterIds }: Day, minute: number): void {
  for (let i = minute % CHANGES_EVERY; i < characterIds.length; i += CHANGES_EVERY) {
    const id = characterIds[i]!;
    owners.pay(id, 1_000);
    owners.churnAssets(id, ASSET_CHURN);
    owners.placeOrder(id);
    owners.startJob(id);
  }
}

/** Runs the dispatcher once, as the workflow `dispatch` does. */
async function dispatch({ context }: Day, queue: RunQueue, times: DispatcherTimes): Promise<void> {
  const { seconds } = await timed(async () => {
    await encryptTokens(context);
    for (const run of await takeDueRuns(context)) if (!queue.add(run)) times.running++;
  });
  times.seconds.push(seconds);
  await refreshAffiliations(context, {});
}

async function runWorker(day: Day, queue: RunQueue): Promise<void> {
  for (;;) {
    const run = await queue.next();
    if (!run) return;
    await collectOnce(day, queue, run);
  }
}

async function collectOnce({ context, statistics, clock }: Day, queue: RunQueue, run: DueRun): Promise<void> {
  try {
    const summary = await collectTarget(context, run);
    statistics.ended(run, summary, clock.now());
  } catch (error) {
    // Ten simultaneous runs never wait so long that the rate limiter fails a request, which Temporal would repeat.
    statistics.failed(describeError(error).slice(0, 200));
  } finally {
    queue.done(run);
  }
}
