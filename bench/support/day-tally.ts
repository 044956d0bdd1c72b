import type { DueRun } from '../../src/engine/owners/due-runs.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { ASSIGNED } from './owner-rows.ts';

/** The first comes when all are assigned, the second when chance spreads them: what follows has to be on time. */
const SPREAD_AFTER = 2;

const LIFE = new Map(ASSIGNED.map(({ collector, lifeMs }) => [collector, lifeMs]));

interface Seen {
  last: number;
  times: number;
  /** How much later than demanded it was collected at worst, ms. */
  late: number;
}

/** What happened in the day: runs, requests, and how punctual each assignment was. */
export class DayTally {
  /** Runs by outcome, answers of ESI by status, failed runs by message. */
  readonly outcomes: Record<string, number> = {};
  readonly statuses: Record<string, number> = {};
  readonly errors: Record<string, number> = {};
  runs = 0;
  private readonly seen = new Map<string, Seen>();
  private readonly minutes: ReadonlyMap<string, number>;

  constructor(minutes: ReadonlyMap<string, number>) {
    this.minutes = minutes;
  }

  request(status: string): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
  }

  ended({ collector, target }: DueRun, { outcome }: RunSummary, now: number): void {
    this.runs++;
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    if (outcome === 'not-due' || outcome === 'blocked') return;
    const key = `${collector}/${target}`;
    const seen = this.seen.get(key) ?? { last: now, times: 0, late: 0 };
    this.measure(key, seen, now);
    this.seen.set(key, { last: now, times: seen.times + 1, late: seen.late });
  }

  failed(message: string): void {
    this.runs++;
    this.errors[message] = (this.errors[message] ?? 0) + 1;
  }

  private measure(key: string, seen: Seen, now: number): void {
    if (seen.times < SPREAD_AFTER) return;
    const collector = key.slice(0, key.indexOf('/'));
    const due = Math.max(this.minutes.get(collector) ?? 0, LIFE.get(collector) ?? 0);
    seen.late = Math.max(seen.late, now - seen.last - due);
  }

  /** How many of `assignments` were not collected a second time, and how late the others were at worst, ms, sorted. */
  close(assignments: number, now: number): { never: number; lateMs: readonly number[] } {
    for (const [key, seen] of this.seen) this.measure(key, seen, now); // what is overdue at the end counts as well
    const late = [...this.seen.values()].map((seen) => seen.late).toSorted((a, b) => a - b);
    const again = [...this.seen.values()].filter(({ times }) => times >= SPREAD_AFTER).length;
    return { never: assignments - again, lateMs: late };
  }
}
