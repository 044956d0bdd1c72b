import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { log, startChild } from '@temporalio/workflow';
import type { DueRun } from '../../engine/owners/due-runs.ts';
import { store, storeOnce } from './activity-proxies.ts';
import { AFFILIATIONS, affiliations } from './update-affiliations.ts';
import { businessId, collect } from './collect.ts';

/** What a dispatch started. */
export interface DispatchSummary {
  readonly started: number;
  /** Runs that were under way already. */
  readonly running: number;
}

/** Longest run of an owner's collector; a later minute starts what takes longer anew. */
const RUN_TIMEOUT = '6 hours';

/**
 * Once a minute: encrypts tokens that were inserted as plaintext, and starts the assignments that are due under their
 * business ids, and the refresh of affiliations. What it starts outlives it, so that no dispatch waits for requests.
 */
export async function dispatch(): Promise<DispatchSummary> {
  try {
    await storeOnce.encryptTokens();
  } catch (error) {
    log.warn('tokens could not be encrypted; the next minute tries again', { error: String(error) });
  }
  const { runs, hasStaleAffiliations } = await store.takeDueRuns();
  const [starts] = await Promise.all([
    Promise.all(runs.map(({ collector, target }) => startRun({ collector, target }))),
    hasStaleAffiliations ? startOnce(affiliations.name, AFFILIATIONS, []) : undefined,
  ]);
  const started = starts.filter(Boolean).length;
  return { started, running: starts.length - started };
}

function startRun(input: DueRun): Promise<boolean> {
  return startOnce(collect.name, businessId(input.collector, input.target), [input]);
}

/** Starts a workflow that outlives this one. Returns whether it did: false when one of this id is running. */
async function startOnce(
  workflowType: string,
  workflowId: string,
  args: readonly unknown[],
): Promise<boolean> {
  try {
    await startChild(workflowType, {
      workflowId,
      args: [...args],
      staticSummary: workflowId,
      parentClosePolicy: 'ABANDON',
      workflowExecutionTimeout: RUN_TIMEOUT,
    });
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}
