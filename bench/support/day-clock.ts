import type { Pool } from 'pg';
import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly at: number;
  /** Whether a piece of work sleeps: waking up is work again. */
  readonly works: boolean;
  readonly wake: () => void;
}

export interface DayClock extends Clock {
  /** Time stands still while this is under way, except where it sleeps by this clock or waits by `waiting`. */
  working<T>(work: () => Promise<T>): Promise<T>;
  /** For a piece of work: lets time go on until others have done this. */
  waiting<T>(work: () => Promise<T>): Promise<T>;
  /** Time stands still while a connection of this pool is in use. */
  attend(pool: Pool): void;
  /** The same time for what is no piece of work: whoever sleeps by it holds nothing up. */
  readonly aside: Clock;
}

/** Enough turns of the event loop for chains of promises to come to rest. */
const TURNS = 6;

/** What is under way in reality, who sleeps until when, and the time. */
class Day {
  now: number;
  private pieces = 0;
  private checking = false;
  private sleepers: Sleeper[] = [];
  private readonly pools: Pool[] = [];

  constructor(start: number) {
    this.now = start;
  }

  work(): void {
    this.pieces++;
  }

  rest(): void {
    this.pieces--;
    this.check();
  }

  attend(pool: Pool): void {
    this.pools.push(pool);
    pool.on('release', () => this.check());
  }

  sleep(ms: number, works: boolean): Promise<void> {
    return new Promise((wake) => {
      this.sleepers.push({ at: this.now + Math.max(0, ms), works, wake });
      if (works) this.rest();
      else this.check();
    });
  }

  private get quiet(): boolean {
    const busy = (pool: Pool) => pool.waitingCount > 0 || pool.idleCount < pool.totalCount;
    return this.pieces === 0 && !this.pools.some(busy);
  }

  private check(): void {
    if (this.checking) return;
    this.checking = true;
    void this.goOn();
  }

  private async goOn(): Promise<void> {
    let turn = 0;
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.quiet && ++turn < TURNS);
    this.checking = false;
    // What is under way checks again when it ends.
    if (!this.quiet || this.sleepers.length === 0) return;
    this.now = Math.max(this.now, Math.min(...this.sleepers.map(({ at }) => at)));
    const due = this.sleepers.filter(({ at }) => at <= this.now);
    this.sleepers = this.sleepers.filter(({ at }) => at > this.now);
    for (const { works, wake } of due) {
      if (works) this.work();
      wake();
    }
    this.check();
  }
}

/**
 * Virtual time for work that reads and writes in reality: it stands still while a request or a statement is under way,
 * and goes on to whoever wakes up next when there is none.
 */
export function dayClock(start: number): DayClock {
  const day = new Day(start);
  const now = () => day.now;
  return {
    now,
    sleep: (ms) => day.sleep(ms, true),
    aside: { now, sleep: (ms) => day.sleep(ms, false) },
    attend: (pool) => day.attend(pool),
    async working(work) {
      day.work();
      try {
        return await work();
      } finally {
        day.rest();
      }
    },
    async waiting(work) {
      day.rest();
      try {
        return await work();
      } finally {
        day.work();
      }
    },
  };
}
