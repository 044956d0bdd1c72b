import type { WorkflowHandle } from '@temporalio/client';
import type { TestDatabase } from '../support/database.ts';

/** What a run failed with: the message of the innermost cause, which is what a person reads. */
export const failureOf = (handle: WorkflowHandle) =>
  handle.result().then(
    () => 'it succeeded',
    (error: unknown) => {
      let cause = error as Error;
      while (cause.cause instanceof Error) cause = cause.cause;
      return cause.message;
    },
  );

/** What a running or ended workflow shows of itself in the Temporal UI; undefined while it shows nothing. */
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

/** What collection_runs holds of a workflow id, the newest first. */
export const readRuns = (db: TestDatabase, workflowId: string) =>
  db.rows<Run>('SELECT * FROM collection_runs WHERE workflow_id = $1 ORDER BY run_id DESC', [workflowId]);
