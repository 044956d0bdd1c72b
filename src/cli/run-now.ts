import { LONGEST_RUN } from '../temporal/schedules/plan-schedules.ts';
import type { Client } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { showProgress } from './progress.ts';
import { findCollector } from '../collectors/index.ts';
import { checkTarget } from '../engine/list-targets.ts';
import { describeError } from '../lib/errors.ts';
import { readProgress } from '../store/sets/run-progress.ts';
import type { App } from '../app/create-app.ts';

export interface RunReport {
  readonly workflowId: string;
  readonly result?: unknown;
  readonly error?: string;
}

/** Starts runs now, or joins those under way; waits for them with a progress bar unless told not to. */
export async function runNow(
  app: App,
  client: Client,
  collectorName: string,
  targets: readonly string[],
  options: { wait: boolean; quiet: boolean },
): Promise<RunReport[]> {
  const collector = findCollector(collectorName);
  for (const target of targets) checkTarget(collector, target);
  const inputs =
    targets.length === 0
      ? [{ collector: collectorName }]
      : targets.map((target) => ({ collector: collectorName, target }));
  const handles = await Promise.all(
    inputs.map((input) =>
      client.workflow.start('collect', {
        taskQueue: 'collect',
        workflowId: 'target' in input ? `${collectorName}/${input.target}` : collectorName,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowExecutionTimeout: LONGEST_RUN,
        staticSummary: 'started by hand',
        priority: { priorityKey: 1 },
      }),
    ),
  );
  if (!options.wait) return handles.map(({ workflowId }) => ({ workflowId }));
  const progress = options.quiet
    ? undefined
    : showProgress(() => readProgress(app.db, collectorName, targets));
  try {
    return await Promise.all(
      handles.map(async (handle) => {
        const { workflowId } = handle;
        try {
          return { workflowId, result: (await handle.result()) as unknown };
        } catch (error) {
          return { workflowId, error: failure(error) };
        }
      }),
    );
  } finally {
    progress?.stop();
  }
}

function failure(error: unknown): string {
  let cause: unknown = error;
  while (
    cause instanceof Error &&
    (cause instanceof WorkflowFailedError || cause.cause instanceof Error) &&
    cause.cause
  )
    cause = cause.cause;
  return describeError(cause);
}
