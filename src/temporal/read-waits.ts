import type { Client, WorkflowHandle } from '@temporalio/client';

/** PENDING_ACTIVITY_STATE_SCHEDULED of Temporal's API: no worker has the activity, which is new or waits for its next attempt. */
const SCHEDULED = 1;

/** Runs of targets that are asked: their reasons are mostly the same, and each costs the server a request. */
const MAX_CHILDREN = 3;

/**
 * Why runs do not go on, in sentences, each once: the errors after which their activities will be attempted again, such as
 * a pause or ESI's downtime, and the next snapshot of ESI. A run over all targets waits for those of its first targets.
 */
export async function readWaits(
  client: Client,
  runs: readonly Pick<WorkflowHandle, 'workflowId'>[],
): Promise<string[]> {
  const described = await Promise.all(runs.map(({ workflowId }) => describe(client, workflowId)));
  const children = described.flatMap((one) => one.children).slice(0, MAX_CHILDREN);
  const ofChildren = await Promise.all(children.map((workflowId) => describe(client, workflowId)));
  return [...new Set([...described, ...ofChildren].flatMap((one) => one.reasons))];
}

async function describe(
  client: Client,
  workflowId: string,
): Promise<{ children: string[]; reasons: string[] }> {
  const handle = client.workflow.getHandle(workflowId);
  const { raw } = await handle.describe();
  const waiting = (raw.pendingActivities ?? []).filter(({ state }) => Number(state) === SCHEDULED);
  const children = (raw.pendingChildren ?? []).flatMap(({ workflowId: id }) => id ?? []);
  const isBusy = (raw.pendingActivities ?? []).length + children.length > 0;
  return {
    children,
    reasons: isBusy
      ? waiting.flatMap(({ lastFailure }) => lastFailure?.message ?? [])
      : await timerOf(handle),
  };
}

/** The SDK's query for what a workflow shows of itself. */
const METADATA = '__temporal_workflow_metadata';

/** What a run that has nothing to do waits for, as it says itself: ESI's next snapshot. */
async function timerOf(handle: WorkflowHandle): Promise<string[]> {
  const metadata = await handle.query<{ currentDetails?: string }>(METADATA).catch(() => undefined); // no worker runs
  const details = metadata?.currentDetails ?? '';
  return details.startsWith('waiting ') ? [`The run is ${details}.`] : [];
}
