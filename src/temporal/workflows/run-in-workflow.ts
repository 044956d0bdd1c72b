import { rootCause } from '@temporalio/common';
import { CancellationScope, isCancellation, setCurrentDetails, sleep } from '@temporalio/workflow';
import { driveRun } from '../../engine/run/run-driver.ts';
import type { RunSummary } from '../../engine/run/run-steps.ts';
import { esi, store } from './activity-proxies.ts';

/** Longer than any cache time of ESI that a schedule would wait for: a run that has to wait longer ends. */
const MAX_WAIT = 2 * 3_600_000;

/** Drives one run of one target by activities and timers. `waitUntilDue`: waits for ESI's next snapshot. */
export function runInWorkflow(collector: string, target: string, waitUntilDue: boolean): Promise<RunSummary> {
  return driveRun({
    steps: {
      begin: () => esi.begin(collector, target),
      readChunk: (run, chunk) =>
        esi.readChunk.executeWithOptions({ summary: `pages ${chunk.from} to ${chunk.to}` }, [run, chunk]),
      enrich: (run) => esi.enrich(run),
      publish: (run, isLastAttempt) => store.publish(run, isLastAttempt),
      close: (error) =>
        CancellationScope.nonCancellable(() => store.close(collector, target, formatReason(error))),
    },
    now: () => Date.now(),
    sleep: (ms) => sleep(ms),
    maxWait: waitUntilDue ? MAX_WAIT : 0,
    show: setCurrentDetails,
  });
}

function formatReason(error: unknown): string {
  if (isCancellation(error)) return 'The run was cancelled.';
  return (rootCause(error) ?? String(error)).slice(0, 500);
}
