import type { WorkflowHandle } from '@temporalio/client';
import type { TestDatabase } from '../../support/test-database.ts';
import type { TestApp } from '../../support/test-app.ts';
import { eventually } from '../../support/test-temporal.ts';

/** The message of the innermost cause of a failed run, which is the one that people read. */
export const failureOf = (handle: WorkflowHandle) =>
  handle.result().then(
    () => 'it succeeded',
    (error: unknown) => {
      let cause = error as Error;
      while (cause.cause instanceof Error) cause = cause.cause;
      return cause.message;
    },
  );

/** The details that a workflow shows in the Temporal UI; undefined while there are none. */
export const details = async (handle: WorkflowHandle) =>
  (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ||
  undefined;

export interface Run {
  readonly target: string;
  readonly outcome: string | null;
  readonly error: string | null;
  readonly workflow_id: string;
  readonly finished_at: Date | null;
}

/** The rows of `collection_runs` of a workflow id, the newest first. */
export const readRuns = (db: TestDatabase, workflowId: string) =>
  db.rows<Run>('SELECT * FROM collection_runs WHERE workflow_id = $1 ORDER BY run_id DESC', [workflowId]);

/** Counts the runs of these workflow ids. The returned function waits until the next ones have ended. */
export async function endOfNextRuns({ db, temporal }: TestApp, workflowIds: readonly string[]) {
  const count = async (id: string) => (await readRuns(db, id)).length;
  const before = await Promise.all(workflowIds.map(count));
  return async (): Promise<void> => {
    for (const [i, id] of workflowIds.entries())
      await eventually(`the end of ${id}`, async () => {
        if ((await count(id)) === before[i]) return false;
        return (await temporal.client.workflow.getHandle(id).describe()).status.name !== 'RUNNING';
      });
  };
}
