import type { Client, WorkflowHandle } from '@temporalio/client';
import { findCollector } from '../collectors/index.ts';
import { checkTarget } from '../engine/list-targets.ts';
import { LONGEST_RUN } from './schedules/plan-schedules.ts';

/**
 * Starts a collector for the given targets, or for all of its targets when there are none. Joins the run of a target that
 * is running already. Throws AppError UNKNOWN_COLLECTOR and BAD_TARGET.
 */
export async function startRuns(
  client: Client,
  collectorName: string,
  targets: readonly string[],
): Promise<WorkflowHandle[]> {
  const collector = findCollector(collectorName);
  for (const target of targets) checkTarget(collector, target);
  const start = (workflowId: string, input: { collector: string; target?: string }) =>
    client.workflow.start('collect', {
      taskQueue: 'collect',
      workflowId,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowExecutionTimeout: LONGEST_RUN,
      staticSummary: 'started by hand',
      priority: { priorityKey: 1 },
    });
  if (targets.length === 0) return [await start(collectorName, { collector: collectorName })];
  return Promise.all(
    targets.map((target) => start(`${collectorName}/${target}`, { collector: collectorName, target })),
  );
}
