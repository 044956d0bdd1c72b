import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities, HEARTBEAT_INTERVAL } from './activities.ts';
import type { EngineContext } from '../engine/engine-context.ts';

export interface RunningWorkers {
  /** Rejects when a worker fails; resolves after `stop`. */
  readonly done: Promise<void>;
  /** RUNNING while both poll. */
  state(): string;
  stop(): Promise<void>;
}

export interface WorkerSettings {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** Requests a minute: bounds the `esi` activities that all workers together start, each of which sends at least one. */
  readonly esiRateLimit: number;
}

/** The task queue of workflows and database work. */
export const COLLECT_QUEUE = 'collect';

/** Activities that request ESI at once. Each holds up to twenty pages, so their number bounds the memory. */
const ESI_ACTIVITIES = 10;

/** Database activities at once: two cores gain nothing from more. */
const STORE_ACTIVITIES = 8;

/** The bundle is in `dist/`, whether this file runs from `dist/src` or from the sources. */
function workflowBundle(): string {
  for (const place of ['../../workflow-bundle.js', '../../dist/workflow-bundle.js']) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new Error('dist/workflow-bundle.js is missing: run "npm run build"');
}

/**
 * The heap may grow by half before garbage is collected. On a machine with much memory V8 lets it grow fourfold: a
 * run over all regions, with 50 MB of live objects, then used 400 MB instead of 310.
 */
const HEAP_GROWTH = '--heap-growing-percent=50';

/** Starts the two workers of a process: `collect` (workflows, database work) and `esi` (requests). */
export async function startWorkers(engine: EngineContext, settings: WorkerSettings): Promise<RunningWorkers> {
  setFlagsFromString(HEAP_GROWTH);
  const { connection, namespace } = settings;
  const activities = createActivities(engine);
  const common = {
    connection,
    namespace,
    activities,
    maxHeartbeatThrottleInterval: HEARTBEAT_INTERVAL, // otherwise the server hears of progress up to 30 s late
    shutdownGraceTime: '3s', // running activities may end
    shutdownForceTime: '6s', // then they are abandoned: the whole process stops within ten seconds
  } satisfies Partial<WorkerOptions>;
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: COLLECT_QUEUE,
      workflowBundle: { codePath: workflowBundle() },
      maxConcurrentWorkflowTaskExecutions: 20,
      stickyQueueScheduleToStartTimeout: '1s', // a workflow waits so long for the worker that has it cached, dead or not
      maxConcurrentActivityTaskExecutions: STORE_ACTIVITIES,
      maxCachedWorkflows: 200, // 35 KB each; a run over all regions has 114
      // A defect in workflow code fails the workflow instead of blocking it: the next one makes up for it.
      workflowFailureErrorTypes: { '*': ['NondeterminismError', 'Error'] },
    }),
    Worker.create({
      ...common,
      taskQueue: 'esi',
      maxConcurrentActivityTaskExecutions: ESI_ACTIVITIES,
      maxTaskQueueActivitiesPerSecond: settings.esiRateLimit / 60,
    }),
  ]);
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run().finally(stop));
  const done = Promise.all(runs).then(() => undefined);
  done.catch(() => undefined); // no unhandled rejection before the caller awaits `done`
  return {
    done,
    state: () =>
      workers.every((worker) => worker.getState() === 'RUNNING')
        ? 'RUNNING'
        : workers.map((w) => w.getState()).join(', '),
    async stop() {
      stop();
      await Promise.allSettled(runs); // both: the caller closes the connections that the other one still uses
    },
  };
}
