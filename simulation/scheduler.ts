import type { Clock } from '../src/lib/clock.ts';
import { pick, type Random } from '../simulator/random.ts';

/** A process of the product as the scheduler sees it: what a dead one has begun is never answered. */
export interface Process {
  readonly name: string;
  readonly isAlive: boolean;
}

/** Something that waits for its turn: a statement, a request to ESI. */
interface Operation {
  readonly process: Process;
  readonly name: string;
  start(): Running;
  /** Gives up what the operation would have done. */
  drop?(): void;
}

/** An operation under way. */
interface Running {
  readonly done: Promise<unknown>;
  /** The process of the database server that works on it, once it is known. */
  readonly pid: () => number | undefined;
}

interface Sleeper {
  readonly at: number;
  readonly process: Process | undefined;
  wake(): void;
}

/** What happens at the turn of an operation. `index` counts the operations of a history. */
export type Interruption = (operation: { name: string; process: Process }, index: number) => void;

export interface SchedulerOptions {
  /** Chooses who is next. */
  readonly random: Random;
  /** The first moment (ms). */
  readonly start: number;
  /** The processes of the database server that a statement waits for. */
  readonly blockers: (pid: number) => Promise<readonly number[]>;
  /** Called before an operation starts, and after it has ended but before its process knows. */
  readonly before: Interruption;
  readonly after: Interruption;
  /** Called with each operation that starts. */
  readonly trace: (line: string) => void;
}

/** Turns of the event loop after which nothing is left to do but what waits for its turn. */
const QUIET_TURNS = 4;

/** Real milliseconds after which a statement may be waiting for a lock. */
const SLOW = 8;

/** Real milliseconds after which a history in which nothing happens is at its end. */
const STUCK = 2_000;

/**
 * Decides what happens next in one simulated world, so that the same seed gives the same history: one operation runs at a
 * time, chosen by chance, and the clock moves on only when all processes sleep. A statement that waits for a lock lets
 * others go first.
 */
export class Scheduler {
  private readonly options: SchedulerOptions;
  private waiting: Operation[] = [];
  private sleepers: Sleeper[] = [];
  private readonly running = new Set<Running>();
  private readonly blocked = new Set<Running>();
  private time: number;
  private changes = 0;
  private count = 0;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.time = options.start;
  }

  now(): number {
    return this.time;
  }

  /** Moves the clock on while something takes time. */
  advance(ms: number): void {
    this.time += ms;
  }

  /** The clock of a process; undefined: of what outlives all processes. */
  clock(process?: Process): Clock {
    return {
      now: () => this.time,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          signal?.throwIfAborted();
          this.changes++;
          const sleeper: Sleeper = { at: this.time + Math.max(0, ms), process, wake: resolve };
          this.sleepers.push(sleeper);
          signal?.addEventListener('abort', () => {
            this.sleepers = this.sleepers.filter((one) => one !== sleeper);
            if (process?.isAlive !== false) reject(signal.reason as Error);
          });
        }),
    };
  }

  /** Runs `start` when its turn has come. The result of a process that is dead by then never arrives. */
  enter<T>(
    process: Process,
    name: string,
    start: () => { done: Promise<T>; pid: () => number | undefined },
    drop?: () => void,
  ): Promise<T> {
    this.changes++;
    return new Promise((resolve, reject) => {
      const settle = (hand: () => void) => {
        if (process.isAlive) this.options.after({ name, process }, this.count);
        if (process.isAlive) hand();
      };
      this.waiting.push({
        process,
        name,
        ...(drop ? { drop } : {}),
        start: () => {
          const { done, pid } = start();
          const settled = done.then(
            (value) => settle(() => resolve(value)),
            (error: unknown) => settle(() => reject(error)),
          );
          return { done: settled, pid };
        },
      });
    });
  }

  /** Lets something run beside the turns that cannot be stopped, such as a stream to the database. */
  follow(running: Running): void {
    this.changes++;
    this.running.add(running);
    const end = () => {
      this.changes++;
      this.running.delete(running);
      this.blocked.delete(running);
    };
    running.done.then(end, end);
  }

  /** Takes turns until `story` has ended. */
  async run<T>(story: Promise<T>): Promise<T> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    story.then(end, end);
    for (;;) {
      await this.settle();
      if (isOver) return story;
      this.dropDead();
      if (this.waiting.length > 0) await this.takeTurn();
      else if (!this.wakeNext() && !(await this.isMoving()))
        throw new Error('nothing is left that could happen');
    }
  }

  private async takeTurn(): Promise<void> {
    const operation = pick(this.options.random, this.waiting);
    this.waiting = this.waiting.filter((one) => one !== operation);
    this.options.before(operation, ++this.count);
    if (!operation.process.isAlive) return operation.drop?.();
    this.options.trace(`${operation.process.name} ${operation.name}`);
    this.follow(operation.start());
  }

  private dropDead(): void {
    for (const operation of this.waiting) if (!operation.process.isAlive) operation.drop?.();
    this.waiting = this.waiting.filter(({ process }) => process.isAlive);
    this.sleepers = this.sleepers.filter(({ process }) => process?.isAlive !== false);
  }

  /** Moves the clock to the next sleeper and wakes it. False when nobody sleeps. */
  private wakeNext(): boolean {
    if (this.blocked.size > 0 && this.running.size > this.blocked.size) return false;
    let next: Sleeper | undefined;
    for (const sleeper of this.sleepers) if (!next || sleeper.at < next.at) next = sleeper;
    if (!next) return false;
    this.sleepers = this.sleepers.filter((one) => one !== next);
    this.time = Math.max(this.time, next.at);
    next.wake();
    return true;
  }

  /** Waits until every operation under way has ended or waits for a lock, and nothing else goes on. */
  private async settle(): Promise<void> {
    let started = performance.now();
    for (let quiet = 0, seen = this.changes; quiet < QUIET_TURNS;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.changes !== seen || this.running.size > this.blocked.size) quiet = 0;
      else quiet++;
      if (this.changes !== seen) started = performance.now();
      seen = this.changes;
      if (this.running.size > 0 && performance.now() - started > SLOW) {
        await this.findBlocked();
        started = performance.now();
      }
    }
  }

  /** Marks the statements that wait for a lock of this world. */
  private async findBlocked(): Promise<void> {
    this.blocked.clear();
    for (const running of this.running) {
      const pid = running.pid();
      if (pid === undefined) continue;
      const blockers = await this.options.blockers(pid);
      const isHeldHere = blockers.length > 0 && blockers.every((one) => this.held.has(one));
      if (isHeldHere && this.running.has(running)) this.blocked.add(running);
    }
  }

  /** Connections that live processes of this world hold. */
  readonly held = new Set<number>();

  /** Whether something still goes on that is not an operation. */
  private async isMoving(): Promise<boolean> {
    const { changes } = this;
    const started = performance.now();
    while (performance.now() - started < STUCK) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (this.changes !== changes) return true;
    }
    return false;
  }
}
