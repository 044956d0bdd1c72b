import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { log, startChild } from '@temporalio/workflow';
import { esiOnce, store, storeOnce } from './activities.ts';
import { businessId, collect } from './collect.ts';

export interface DispatchSummary {
  readonly started: number;
  /** Under way already, from an earlier minute or by hand. */
  readonly running: number;
}

/** Longest run of an owner's collector: what takes longer is begun anew by a later minute. */
const LONGEST = '6 hours';

/**
 * Once a minute: seals tokens that somebody inserted, starts what is due under its business id, and looks whose members
 * the characters are. Runs outlive the dispatcher: they are abandoned to themselves, not waited for.
 */
export async function dispatch(): Promise<DispatchSummary> {
  try {
    await storeOnce.sealTokens();
  } catch (error) {
    log.warn('tokens could not be looked after; that comes again', { error: String(error) });
  }
  const due = await store.takeDueRuns();
  const summary = { started: 0, running: 0 };
  await Promise.all(
    due.map(async ({ collector, target }) => {
      const workflowId = businessId(collector, target);
      try {
        await startChild(collect, {
          workflowId,
          args: [{ collector, target }],
          staticSummary: workflowId,
          parentClosePolicy: 'ABANDON',
          workflowExecutionTimeout: LONGEST,
        });
        summary.started++;
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        summary.running++;
      }
    }),
  );
  try {
    await esiOnce.tendAffiliations();
  } catch (error) {
    log.warn('corporations of characters could not be looked up; that comes again', { error: String(error) });
  }
  return summary;
}
