import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { COLLECT_QUEUE } from './workers.ts';

/**
 * Terminates the workflows that are running, and returns how many. For an upgrade: a workflow of the previous version
 * would continue with steps that this version does not have. Schedules start them again.
 */
export async function terminateRuns(client: Client, reason: string): Promise<number> {
  const query = `ExecutionStatus = 'Running' AND TaskQueue = '${COLLECT_QUEUE}'`;
  let count = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    try {
      await client.workflow.getHandle(workflowId, runId).terminate(reason);
      count++;
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error; // it has ended meanwhile
    }
  }
  return count;
}
