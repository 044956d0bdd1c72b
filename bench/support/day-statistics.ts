import type { DueRun } from '../../src/engine/owners/due-runs.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { ASSIGNMENTS } from './insert-owners.ts';

/** The first collection is when all are assigned, the second is spread at random. Every later one must be on time. */
const SPREAD_AFTER = 2;

const CACHE_MS = new Map(ASSIGNMENTS.map(({ collector, cacheMs }) => [collector, cacheMs]));

interface Collections {
  last: number;
  times: number;
  /** The longest delay of a collection, in milliseconds. */
  late: number;
}

/** The statistics of a day: runs, requests, and the delay of each assignment. */
export class DayStatistics {
  /** Runs by outcome, answers of ESI by status, failed runs by message. */
  readonly outcomes: Record<string, number> = {};
  readonly statuses: Record<string, number> = {};
  readonly errors: Record<string, number> = {};
  runs = 0;
  private readonly collections = new Map<string, Collections>();
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
    const collections = this.collections.get(key) ?? { last: now, times: 0, late: 0 };
    this.measure(key, collections, now);
    this.collections.set(key, { last: now, times: collections.times + 1, late: collections.late });
  }

  failed(message: string): void {
    this.runs++;
    this.errors[message] = (this.errors[message] ?? 0) + 1;
  }

  private measure(key: string, collections: Collections, now: number): void {
    if (collections.times < SPREAD_AFTER) return;
    const collector = key.slice(0, key.indexOf('/'));
    const due = Math.max(this.minutes.get(collector) ?? 0, CACHE_MS.get(collector) ?? 0);
    collections.late = Math.max(collections.late, now - collections.last - due);
  }

  /** The number of `assignments` that were not collected a second time, and the longest delays of the others, sorted. */
  close(assignments: number, now: number): { never: number; lateMs: readonly number[] } {
    for (const [key, collections] of this.collections) this.measure(key, collections, now); // an assignment that is overdue at the end counts as well
    const late = [...this.collections.values()]
      .map((collections) => collections.late)
      .toSorted((a, b) => a - b);
    const again = [...this.collections.values()].filter(({ times }) => times >= SPREAD_AFTER).length;
    return { never: assignments - again, lateMs: late };
  }
}
