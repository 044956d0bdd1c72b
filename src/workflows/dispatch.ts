import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { log, startChild } from '@temporalio/workflow';
import type { DueRun } from '../engine/owners/dispatch.ts';
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
  await unlessInVain(() => storeOnce.sealTokens(), 'tokens could not be looked after');
  const due = await store.takeDueRuns();
  // Asked for before the runs are started: behind hundreds of them it would wait for minutes, and the next look with it.
  const [, summary] = await Promise.all([
    unlessInVain(() => esiOnce.tendAffiliations(), 'corporations of characters could not be looked up'),
    startRuns(due),
  ]);
  return summary;
}

async function unlessInVain(step: () => Promise<unknown>, complaint: string): Promise<void> {
  try {
    await step();
  } catch (error) {
    log.warn(`${complaint}; that comes again`, { error: String(error) });
  }
}

async function startRuns(due: readonly DueRun[]): Promise<DispatchSummary> {
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
  return summary;
}
