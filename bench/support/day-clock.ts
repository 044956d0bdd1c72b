import type { Pool } from 'pg';
import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly at: number;
  /** Whether a task sleeps, which isTask again when it wakes. */
  readonly isTask: boolean;
  readonly wake: () => void;
}

export interface DayClock extends Clock {
  /** Stops the clock while `work` runs, except while it sleeps on this clock or waits in `runWaiting`. */
  runTask<T>(work: () => Promise<T>): Promise<T>;
  /** Lets the clock advance while a task waits for the work of others. */
  runWaiting<T>(work: () => Promise<T>): Promise<T>;
  /** Stops the clock while a connection of this pool is in use. */
  watchPool(pool: Pool): void;
  /** The same clock for sleepers that are no tasks: they do not stop it. */
  readonly background: Clock;
}

/** Turns of the event loop after which no chain of promises has work left. */
const TURNS = 6;

/** The virtual time, the number of running tasks, and the sleepers. */
class VirtualDay {
  now: number;
  private tasks = 0;
  private checking = false;
  private sleepers: Sleeper[] = [];
  private readonly pools: Pool[] = [];

  constructor(start: number) {
    this.now = start;
  }

  startTask(): void {
    this.tasks++;
  }

  endTask(): void {
    this.tasks--;
    this.check();
  }

  watchPool(pool: Pool): void {
    this.pools.push(pool);
    pool.on('release', () => this.check());
  }

  sleep(ms: number, isTask: boolean): Promise<void> {
    return new Promise((wake) => {
      this.sleepers.push({ at: this.now + Math.max(0, ms), isTask, wake });
      if (isTask) this.endTask();
      else this.check();
    });
  }

  private get isIdle(): boolean {
    const busy = (pool: Pool) => pool.waitingCount > 0 || pool.idleCount < pool.totalCount;
    return this.tasks === 0 && !this.pools.some(busy);
  }

  private check(): void {
    if (this.checking) return;
    this.checking = true;
    void this.advanceWhenIdle();
  }

  private async advanceWhenIdle(): Promise<void> {
    let turn = 0;
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.isIdle && ++turn < TURNS);
    this.checking = false;
    // A running task checks again when it ends.
    if (!this.isIdle || this.sleepers.length === 0) return;
    this.now = Math.max(this.now, Math.min(...this.sleepers.map(({ at }) => at)));
    const due = this.sleepers.filter(({ at }) => at <= this.now);
    this.sleepers = this.sleepers.filter(({ at }) => at > this.now);
    for (const { isTask, wake } of due) {
      if (isTask) this.startTask();
      wake();
    }
    this.check();
  }
}

/**
 * Virtual time for tasks that use real servers: the clock stops while a request or a statement is running, and otherwise
 * advances to the sleeper that wakes next.
 */
export function dayClock(start: number): DayClock {
  const day = new VirtualDay(start);
  const now = () => day.now;
  return {
    now,
    sleep: (ms) => day.sleep(ms, true),
    background: { now, sleep: (ms) => day.sleep(ms, false) },
    watchPool: (pool) => day.watchPool(pool),
    async runTask(work) {
      day.startTask();
      try {
        return await work();
      } finally {
        day.endTask();
      }
    },
    async runWaiting(work) {
      day.endTask();
      try {
        return await work();
      } finally {
        day.startTask();
      }
    },
  };
}
