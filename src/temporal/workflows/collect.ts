import {
  CancelledFailure,
  defineSearchAttributeKey,
  rootCause,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { ApplicationFailure, CancellationScope, executeChild, workflowInfo } from '@temporalio/workflow';
import type { RunSummary } from '../../engine/run/run-steps.ts';
import { store } from './activity-proxies.ts';
import { collectOne } from './collect-one.ts';
import { mapConcurrent } from './lanes.ts';

export interface CollectInput {
  readonly collector: string;
  /** `region/10000002`; absent: all targets of the collector. */
  readonly target?: string;
  /** Wait for the next set when ESI has nothing newer yet. Otherwise the run says so and ends. */
  readonly patient?: boolean;
  /** Milliseconds: a scheduled run that starts later than this is stale and ends at once. */
  readonly staleAfter?: number;
}

export interface SweepSummary {
  readonly targets: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

const SCHEDULED = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

/** Regions at once: most of them wait for their set's `Expires`, and the ESI ceiling bounds the rest. */
const CHILDREN = 50;

export const businessId = (collector: string, target: string) =>
  target === '' ? collector : `${collector}/${target}`;

/**
 * Collects one target, or all targets of a collector. A target's run always bears its business id, so that it cannot
 * run twice at once: whoever is started under another id (a schedule, a hand) starts that one as a child.
 */
export async function collect(input: CollectInput): Promise<RunSummary | SweepSummary> {
  if (typeof input?.collector !== 'string') {
    throw ApplicationFailure.nonRetryable(
      'The input is {"collector": "market-orders", "target": "region/10000002"}.',
      'BAD_INPUT',
    );
  }
  if (isStale(input))
    return {
      outcome: 'not-due',
      detail: 'the moment it was scheduled for is past; ESI answers for now only',
    };
  const targets = input.target === undefined ? await store.targets(input.collector) : [input.target];
  const only = targets.length === 1 ? targets[0] : undefined;
  if (only !== undefined && workflowInfo().workflowId === businessId(input.collector, only)) {
    return collectOne(input.collector, only, input.patient ?? false);
  }
  return sweep(input, targets);
}

function isStale({ staleAfter }: CollectInput): boolean {
  const scheduled = workflowInfo().typedSearchAttributes.get(SCHEDULED);
  if (staleAfter === undefined || !scheduled) return false;
  return workflowInfo().startTime.getTime() - scheduled.getTime() > staleAfter;
}

async function sweep(input: CollectInput, targets: readonly string[]): Promise<SweepSummary> {
  const outcomes: Record<string, number> = {};
  let lastError = '';
  await mapConcurrent(targets, CHILDREN, async (target) => {
    let outcome: string;
    try {
      outcome = await startChild(input, target);
    } catch (error) {
      lastError = rootCause(error) ?? String(error);
      outcome = 'failed';
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  // By now the children have ended, too: they were cancelled with the sweep, and have closed their runs.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The sweep was cancelled.');
  if (targets.length > 0 && outcomes['failed'] === targets.length)
    throw ApplicationFailure.nonRetryable(lastError, 'ALL_FAILED');
  return { targets: targets.length, outcomes };
}

async function startChild({ collector, patient }: CollectInput, target: string): Promise<string> {
  try {
    const args: [CollectInput] = [{ collector, target, ...(patient === undefined ? {} : { patient }) }];
    const workflowId = businessId(collector, target);
    const summary = await executeChild(collect, {
      workflowId,
      args,
      staticSummary: workflowId,
      parentClosePolicy: 'REQUEST_CANCEL', // a sweep that ends early lets its runs close their books
    });
    return 'outcome' in summary ? summary.outcome : 'published';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'already-running';
    throw error;
  }
}
