import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { refreshAffiliations } from '../../src/engine/owners/refresh-affiliations.ts';
import { type DueRun, takeDueRuns } from '../../src/engine/owners/due-runs.ts';
import { encryptTokens } from '../../src/engine/owners/token-service.ts';
import { describeError } from '../../src/lib/errors.ts';
import { maintain } from '../../src/store/maintenance.ts';
import { type DayHouse, MIDNIGHT } from './day-house.ts';
import type { DayTally } from './day-tally.ts';
import { timed } from './report.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** As many ESI activities as the product's worker has at once. */
const LANES = 10;

/** Each character plays every so many minutes: is paid, moves goods, places an order, starts a job. */
const PLAYS_EVERY = 240;

/** Share of the goods that are moved then. */
const MOVED = 0.02;

export interface Day extends DayHouse {
  readonly characterIds: readonly number[];
  readonly tally: DayTally;
  /** Called at the end of every hour. */
  readonly hourDone: (hour: number) => Promise<void>;
}

/** Real seconds of every look of the dispatcher, and how many assignments were due and under way already. */
export interface DayLooks {
  readonly seconds: number[];
  running: number;
}

/** What the workers take from: runs that were begun and have not ended. */
class Queue {
  readonly underWay = new Set<string>();
  private readonly waiting: DueRun[] = [];
  private readonly idle: (() => void)[] = [];
  private closed = false;

  /** False where the same run is under way, as Temporal says of a business id. */
  add(run: DueRun): boolean {
    const id = `${run.collector}/${run.target}`;
    if (this.underWay.has(id)) return false;
    this.underWay.add(id);
    this.waiting.push(run);
    this.idle.shift()?.();
    return true;
  }

  done({ collector, target }: DueRun): void {
    this.underWay.delete(`${collector}/${target}`);
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

/** Hours of the dispatcher, minute by minute, and of workers that make its runs; nobody plays in the last hour. */
export async function runDay(day: Day, hours: number): Promise<DayLooks> {
  const { clock } = day;
  const queue = new Queue();
  const lanes = Array.from({ length: LANES }, () => lane(day, queue));
  const looks: DayLooks = { seconds: [], running: 0 };
  for (let minute = 0; minute < hours * 60; minute++) {
    const at = MIDNIGHT + minute * MINUTE;
    if (minute < (hours - 1) * 60) play(day, minute);
    if (clock.now() < at) await clock.sleep(at - clock.now());
    // A look that took longer than a minute left the next one out: the schedule skips it.
    if (clock.now() < at + MINUTE) await look(day, queue, looks);
    if (minute % 60 === 59) {
      await maintain(day.context.db, day.context.settings.retention, new Date(clock.now()));
      await day.hourDone((minute + 1) / 60);
    }
  }
  const end = MIDNIGHT + hours * HOUR;
  await clock.sleep(Math.max(0, end - clock.now()));
  queue.close();
  await Promise.all(lanes);
  return looks;
}

function play({ simulator: { owners }, characterIds }: Day, minute: number): void {
  for (let i = minute % PLAYS_EVERY; i < characterIds.length; i += PLAYS_EVERY) {
    const id = characterIds[i]!;
    owners.pay(id, 1_000);
    owners.churnAssets(id, MOVED);
    owners.placeOrder(id);
    owners.startJob(id);
  }
}

/** One minute's look, as the workflow `dispatch` does it. */
async function look({ context }: Day, queue: Queue, looks: DayLooks): Promise<void> {
  const { seconds } = await timed(async () => {
    await encryptTokens(context);
    for (const run of await takeDueRuns(context)) if (!queue.add(run)) looks.running++;
  });
  looks.seconds.push(seconds);
  await refreshAffiliations(context, {});
}

async function lane(day: Day, queue: Queue): Promise<void> {
  for (;;) {
    const run = await queue.next();
    if (!run) return;
    await collectOnce(day, queue, run);
  }
}

async function collectOnce({ context, tally, clock }: Day, queue: Queue, run: DueRun): Promise<void> {
  try {
    const summary = await collectTarget(context, run);
    tally.ended(run, summary, clock.now());
  } catch (error) {
    // Ten runs at once never wait long enough for the budget to give one back, which Temporal would repeat.
    tally.failed(describeError(error).slice(0, 200));
  } finally {
    queue.done(run);
  }
}
