import { setMaxListeners } from 'node:events';
import {
  beginStep,
  closeStep,
  enrichStep,
  publishStep,
  readChunkStep,
} from '../src/engine/run/engine-steps.ts';
import type { EngineContext, StepContext } from '../src/engine/engine-context.ts';
import { driveRun } from '../src/engine/run/run-driver.ts';
import type { RunSummary } from '../src/engine/run/run-steps.ts';
import { HOUR } from '../src/lib/duration.ts';
import { AppError, describeError } from '../src/lib/errors.ts';
import { between, pick, type Random } from '../simulator/random.ts';
import { type Execution, executions } from './dispatcher.ts';
import type { Mishap } from './plan.ts';
import { DEAD, type ProductProcess } from './product-process.ts';
import type { Scheduler } from './scheduler.ts';

/** The processes that execute steps; a dead one is replaced. */
export class Workers {
  private readonly create: (name: string) => ProductProcess;
  private list: ProductProcess[] = [];
  private created = 0;
  /** Executions that have not ended, in processes that live. */
  readonly unfinished = new Set<Execution>();

  constructor(create: (name: string) => ProductProcess, count: number) {
    this.create = create;
    for (let left = count; left > 0; left--) this.add();
  }

  get alive(): readonly ProductProcess[] {
    this.list = this.list.map((process) =>
      process.isAlive ? process : this.create(`process ${++this.created}`),
    );
    return this.list;
  }

  killAll(): void {
    for (const process of this.list) process.kill();
  }

  private add(): void {
    this.list.push(this.create(`process ${++this.created}`));
  }
}

/** How a workflow ended. `failed`: after all attempts, or at an error that no attempt can mend. */
export type WorkflowEnd = RunSummary | { readonly outcome: 'terminated' | 'failed'; readonly detail: string };

export interface WorkflowParts {
  readonly scheduler: Scheduler;
  readonly workers: Workers;
  readonly random: Random;
  readonly collector: string;
  readonly target: string;
  /** Names this execution of the workflow. */
  readonly workflowRunId: string;
  readonly mishaps: readonly Mishap[];
  /** The number of turns so far. */
  readonly turn: () => number;
  /** Ends a crash of the database server before a step is attempted. */
  readonly recover: () => Promise<void>;
  readonly trace: (line: string) => void;
}

/** Time until Temporal notices that a worker is dead, and the longest pause between attempts (activity-proxies.ts). */
const HEARTBEAT_TIMEOUT = 5_000;
const LONGEST_PAUSE = 3_000;
/** How often a worker learns that its workflow is gone (HEARTBEAT_INTERVAL of activities.ts). */
const HEARTBEAT_INTERVAL = 2_000;
/** How long a step is attempted. */
const ATTEMPT_FOR = HOUR;

/** Runs one collector for one target as the workflow `collect` does, by steps that Temporal would have executed. */
export async function runWorkflow(parts: WorkflowParts): Promise<WorkflowEnd> {
  const { scheduler, collector, target, workflowRunId } = parts;
  const key = { collector, target, workflowId: `${collector}/${target}`, workflowRunId };
  let terminate!: (end: WorkflowEnd) => void;
  const terminated = new Promise<WorkflowEnd>((resolve) => (terminate = resolve));
  const steps = new Steps(parts, () => terminate({ outcome: 'terminated', detail: '' }));
  const clock = scheduler.clock();
  const run = driveRun({
    steps: {
      begin: () => steps.execute('begin', (engine, step) => beginStep(engine, key, step)),
      readChunk: (ref, chunk) =>
        steps.execute(`read ${chunk.from} to ${chunk.to}`, (engine, step) =>
          readChunkStep(engine, ref, chunk, step),
        ),
      enrich: (ref) => steps.execute('enrich', (engine, step) => enrichStep(engine, ref, step)),
      publish: (ref, isLastAttempt) =>
        steps.execute('publish', (engine, step) => publishStep(engine, ref, isLastAttempt, step)),
      // A cancelled workflow closes its run nevertheless.
      close: (error) =>
        new Steps({ ...parts, mishaps: [] }, () => undefined).execute('close', (engine) =>
          closeStep(engine, key, describeError(error)),
        ),
    },
    now: () => scheduler.now(),
    sleep: (ms) => clock.sleep(ms),
    maxWait: 0,
    show: () => undefined,
  });
  const ended = run.catch((error: unknown): WorkflowEnd => ({
    outcome: 'failed',
    detail: describeError(error),
  }));
  return Promise.race([ended, terminated]);
}

/** Executes the steps of a workflow: on any process, again after its death, and twice where the plan says so. */
class Steps {
  private readonly parts: WorkflowParts;
  private readonly end: () => void;
  private readonly stop = new AbortController();
  private readonly executions = new Set<Execution>();
  private count = 0;
  private isOver = false;

  /** `end`: ends the workflow at once, whatever its steps do. */
  constructor(parts: WorkflowParts, end: () => void) {
    this.parts = parts;
    this.end = end;
    setMaxListeners(0, this.stop.signal); // each request listens to it
  }

  async execute<T>(name: string, work: Work<T>): Promise<T> {
    const { scheduler, workers, random, mishaps, recover, trace } = this.parts;
    const clock = scheduler.clock();
    const number = ++this.count;
    const isTwin = mishaps.some((one) => one.kind === 'twin' && one.step === number);
    const stopping = mishaps.find(
      (one) => (one.kind === 'terminate' || one.kind === 'cancel') && one.step === number,
    );
    const giveUpAt = scheduler.now() + ATTEMPT_FOR;
    for (let attempt = 1; ; attempt++) {
      await recover();
      if (this.isOver) return new Promise(() => undefined);
      const process = pick(random, workers.alive);
      trace(`step ${number}: ${name}, attempt ${attempt} by ${process.name}`);
      const result = this.start(process, work, isTwin);
      if (isTwin && attempt === 1)
        this.start(pick(random, workers.alive), work, isTwin).catch(() => undefined);
      if (stopping?.kind === 'terminate') {
        result.catch(() => undefined);
        this.terminate();
        return new Promise(() => undefined);
      }
      if (stopping) void this.cancel();
      let pause = between(random, 1_000, LONGEST_PAUSE);
      try {
        const value = await Promise.race([result, process.death()]);
        if (value !== DEAD) return value;
        pause += HEARTBEAT_TIMEOUT;
      } catch (error) {
        trace(`step ${number}: ${describeError(error)}`);
        const { verdict, retryAfter } =
          error instanceof AppError ? error : { verdict: 'retry', retryAfter: undefined };
        if (verdict === 'fail' || verdict === 'skip-target' || this.stop.signal.aborted) throw error;
        pause = retryAfter ?? pause;
        if (scheduler.now() + pause > giveUpAt) throw error;
      }
      await clock.sleep(pause);
    }
  }

  /** The workflow is gone; the workers learn of it with their next heartbeat. What they have read is lost. */
  private terminate(): void {
    this.isOver = true;
    for (const execution of this.executions) execution.isOrphan = true;
    this.end();
    void this.cancel();
  }

  private async cancel(): Promise<void> {
    const { scheduler, random } = this.parts;
    await scheduler.clock().sleep(between(random, 0, HEARTBEAT_INTERVAL));
    this.stop.abort(new CancelledError());
  }

  /** `isOrphan`: of what it reads nothing may come, such as of the pages that its twin has read too. */
  private start<T>(process: ProductProcess, work: Work<T>, isOrphan: boolean): Promise<T> {
    const { workers, turn } = this.parts;
    const execution: Execution = { process, began: turn(), ended: undefined, isOrphan };
    workers.unfinished.add(execution);
    this.executions.add(execution);
    const end = () => {
      execution.ended = turn();
      workers.unfinished.delete(execution);
    };
    const result = executions.run(execution, () => work(process.engine, { signal: this.stop.signal }));
    result.then(end, end);
    return result;
  }
}

type Work<T> = (engine: EngineContext, step: StepContext) => Promise<T>;

class CancelledError extends Error {
  constructor() {
    super('the workflow was cancelled');
  }
}
