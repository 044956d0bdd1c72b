import {
  CancelledFailure,
  defineSearchAttributeKey,
  rootCause,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { ApplicationFailure, CancellationScope, executeChild, workflowInfo } from '@temporalio/workflow';
import type { RunSummary } from '../../engine/run/run-steps.ts';
import { mapConcurrent } from '../../lib/concurrency.ts';
import { store } from './activity-proxies.ts';
import { runInWorkflow } from './run-in-workflow.ts';

/** Input of the workflow `collect`. */
export interface CollectInput {
  readonly collector: string;
  /** `region/10000002`; absent for all targets of the collector. */
  readonly target?: string;
  /** Waits for ESI's next snapshot when there is none yet. Otherwise the run ends as `not-due`. */
  readonly waitUntilDue?: boolean;
  /** Milliseconds: a scheduled run that starts later than this ends at once. */
  readonly staleAfter?: number;
}

/** What became of the runs of several targets. */
export interface TargetsSummary {
  readonly targets: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Milliseconds since the epoch: when ESI has something newer for the first target that is `not-due`. */
  readonly nextUpdate?: number;
}

const SCHEDULED = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

/** Runs at once: most of them wait for their snapshot's `Expires`, and the rate limit bounds the rest. */
const TARGET_CONCURRENCY = 50;

/** The workflow id of a target's run, e.g. `market-orders/region/10000002`. */
export const businessId = (collector: string, target: string) =>
  target === '' ? collector : `${collector}/${target}`;

/**
 * Collects one target, or all targets of a collector. The run of a target always has its business id, so that it cannot
 * run twice at once: a workflow that was started under another id starts it as a child.
 */
export async function collect(input: CollectInput): Promise<RunSummary | TargetsSummary> {
  if (typeof input?.collector !== 'string') {
    throw ApplicationFailure.nonRetryable(
      'Invalid input. Use {"collector": "market-orders", "target": "region/10000002"}.',
      'BAD_INPUT',
    );
  }
  if (isStale(input))
    return {
      outcome: 'not-due',
      detail: 'The scheduled time has passed, and ESI only answers for the present.',
    };
  const targets = input.target === undefined ? await store.listTargets(input.collector) : [input.target];
  const only = targets.length === 1 ? targets[0] : undefined;
  if (only !== undefined && workflowInfo().workflowId === businessId(input.collector, only)) {
    return runInWorkflow(input.collector, only, input.waitUntilDue ?? false);
  }
  return collectTargets(input, targets);
}

function isStale({ staleAfter }: CollectInput): boolean {
  const scheduled = workflowInfo().typedSearchAttributes.get(SCHEDULED);
  if (staleAfter === undefined || !scheduled) return false;
  return workflowInfo().startTime.getTime() - scheduled.getTime() > staleAfter;
}

async function collectTargets(input: CollectInput, targets: readonly string[]): Promise<TargetsSummary> {
  const outcomes: Record<string, number> = {};
  const updates: number[] = [];
  let lastError = '';
  await mapConcurrent(targets, TARGET_CONCURRENCY, async (target) => {
    let outcome: string;
    try {
      const summary = await startChild(input, target);
      outcome = summary.outcome;
      if (summary.nextUpdate !== undefined) updates.push(summary.nextUpdate);
    } catch (error) {
      lastError = rootCause(error) ?? String(error);
      outcome = 'failed';
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  // The children were cancelled as well; by now they have closed their runs.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The run was cancelled.');
  if (targets.length > 0 && outcomes['failed'] === targets.length)
    throw ApplicationFailure.nonRetryable(lastError, 'ALL_FAILED');
  const nextUpdate = updates.length === 0 ? {} : { nextUpdate: Math.min(...updates) };
  return { targets: targets.length, outcomes, ...nextUpdate };
}

/** How the run of one target ended. */
interface TargetEnd {
  readonly outcome: string;
  readonly nextUpdate?: number;
}

async function startChild({ collector, waitUntilDue }: CollectInput, target: string): Promise<TargetEnd> {
  try {
    const args: [CollectInput] = [
      { collector, target, ...(waitUntilDue === undefined ? {} : { waitUntilDue }) },
    ];
    const workflowId = businessId(collector, target);
    const summary = await executeChild(collect, {
      workflowId,
      args,
      staticSummary: workflowId,
      parentClosePolicy: 'REQUEST_CANCEL', // children that are cancelled still close their rows in collection_runs
    });
    return 'outcome' in summary ? summary : { outcome: 'published' };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { outcome: 'already-running' };
    throw error;
  }
}
