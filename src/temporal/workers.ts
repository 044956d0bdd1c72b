import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities.ts';
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

/** Activities that speak to ESI at once: each has up to twenty pages in hand, and memory is bounded by their number. */
const ESI_ACTIVITIES = 10;

/** Database work at once: two cores have no use for more. */
const STORE_ACTIVITIES = 8;

/** What is under way gets three seconds to end, and is dropped after six: Ctrl-C promises ten for everything. */
const SHUTDOWN = { shutdownGraceTime: '3s', shutdownForceTime: '6s' } as const;

/** The bundle lies in dist/: beside `src` in a build, under the checkout when sources run as they are. */
function workflowBundle(): string {
  for (const place of ['../../workflow-bundle.js', '../../dist/workflow-bundle.js']) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new Error('dist/workflow-bundle.js is missing: run "npm run build"');
}

/**
 * The heap may grow by half before garbage is collected. On a machine with much memory V8 lets it grow fourfold: all
 * regions at once, which hold 50 MB of living objects, then took 400 MB of the machine instead of 310.
 */
const HEAP_GROWTH = '--heap-growing-percent=50';

/** Starts the two workers of a process: `collect` (workflows, database work) and `esi` (requests). */
export async function startWorkers(engine: EngineContext, settings: WorkerSettings): Promise<RunningWorkers> {
  setFlagsFromString(HEAP_GROWTH);
  const { connection, namespace } = settings;
  const activities = createActivities(engine);
  const common: Pick<WorkerOptions, 'connection' | 'namespace' | 'activities'> = {
    connection,
    namespace,
    activities,
  };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      ...SHUTDOWN,
      taskQueue: 'collect',
      workflowBundle: { codePath: workflowBundle() },
      maxConcurrentWorkflowTaskExecutions: 20,
      maxConcurrentActivityTaskExecutions: STORE_ACTIVITIES,
      maxCachedWorkflows: 200, // 35 KB each; a sweep over all regions holds 114
      // A defect in workflow code must end the run, not hang it: the next run of a snapshot repairs everything.
      workflowFailureErrorTypes: { '*': [], collect: ['NondeterminismError', 'Error'] },
    }),
    Worker.create({
      ...common,
      ...SHUTDOWN,
      taskQueue: 'esi',
      maxConcurrentActivityTaskExecutions: ESI_ACTIVITIES,
      maxTaskQueueActivitiesPerSecond: settings.esiRateLimit / 60,
      maxHeartbeatThrottleInterval: '5s', // a kill loses no more than five seconds of progress reports
    }),
  ]);
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run().finally(stop));
  const done = Promise.all(runs).then(() => undefined);
  done.catch(() => undefined); // whoever awaits `done` hears of it; until then it is no unhandled rejection
  return {
    done,
    state: () =>
      workers.every((worker) => worker.getState() === 'RUNNING')
        ? 'RUNNING'
        : workers.map((w) => w.getState()).join(', '),
    async stop() {
      stop();
      await Promise.allSettled(runs); // also when one of them has failed: the other still uses what is closed next
    },
  };
}
