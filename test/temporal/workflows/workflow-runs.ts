import type { WorkflowHandle } from '@temporalio/client';
import type { TestDatabase } from '../../support/database.ts';
import type { TestApp } from '../../support/app.ts';
import { eventually } from '../../support/temporal.ts';

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

/** Notes the runs so far of these workflow ids; the returned function waits until the ones after them have ended. */
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
