import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { log, startChild } from '@temporalio/workflow';
import type { DueRun } from '../../engine/owners/due-runs.ts';
import { store, storeOnce } from './activity-proxies.ts';
import { AFFILIATIONS, affiliations } from './affiliations.ts';
import { businessId, collect } from './collect.ts';

export interface DispatchSummary {
  readonly started: number;
  /** Under way already, from an earlier minute or by hand. */
  readonly running: number;
}

/** Longest run of an owner's collector: what takes longer is begun anew by a later minute. */
const LONGEST = '6 hours';

/**
 * Once a minute: seals tokens that somebody inserted, starts what is due under its business id, and has it looked up
 * whose members the characters are. What it starts outlives it: waiting behind others' requests would make the next look
 * late.
 */
export async function dispatch(): Promise<DispatchSummary> {
  try {
    await storeOnce.sealTokens();
  } catch (error) {
    log.warn('tokens could not be looked after; that comes again', { error: String(error) });
  }
  const { runs, staleAffiliations } = await store.takeDueRuns();
  const [starts] = await Promise.all([
    Promise.all(runs.map(({ collector, target }) => startRun({ collector, target }))),
    staleAffiliations ? startOnce(affiliations.name, AFFILIATIONS, []) : undefined,
  ]);
  const started = starts.filter(Boolean).length;
  return { started, running: starts.length - started };
}

function startRun(input: DueRun): Promise<boolean> {
  return startOnce(collect.name, businessId(input.collector, input.target), [input]);
}

/** Starts a workflow that goes on by itself. False when one of this id is under way. */
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
      workflowExecutionTimeout: LONGEST,
    });
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}
