import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { checkOwners } from '../../engine/owners/assignment-service.ts';
import type { RunSummary } from '../../engine/run/run-steps.ts';
import { describePause } from '../../esi/request-gate.ts';
import { describeError } from '../../lib/errors.ts';
import { formatTime } from '../../lib/format.ts';
import { readPause } from '../../store/pause.ts';
import { readProgress } from '../../store/sets/run-progress.ts';
import { readWaits } from '../../temporal/read-waits.ts';
import { startRuns } from '../../temporal/start-runs.ts';
import type { TargetsSummary } from '../../temporal/workflows/collect.ts';
import { type PrintingCommand, withDatabase, withTemporal } from '../command.ts';
import { printError } from '../process-io.ts';
import { showProgress } from '../progress-bar.ts';

/** What became of a run. Both are absent when nobody waited for its end. */
export interface RunReport {
  readonly workflowId: string;
  readonly result?: RunSummary | TargetsSummary;
  readonly error?: string;
}

/** Starts runs now, or joins those that are running, and waits for their end unless `wait` is false. */
export const runCommand =
  (
    collector: string,
    targets: readonly string[],
    options: { readonly wait: boolean; readonly showProgress: boolean },
  ): PrintingCommand =>
  (config, log) =>
    withDatabase(config, log, async (context) => {
      await checkOwners(context, collector, targets);
      return withTemporal(config, async (client) => {
        const pause = await readPause(context.db);
        if (pause) printError(describePause(pause.reason));
        const runs = await startRuns(client, collector, targets);
        const reports = options.wait
          ? await waitForRuns(runs, {
              readProgress: () => readProgress(context.db, collector, targets),
              readWaits: () => readWaits(client, runs),
              said: pause ? [describePause(pause.reason)] : [],
              showBars: options.showProgress,
            })
          : runs.map(({ workflowId }) => ({ workflowId }));
        const lines = reports.map((report) => `${report.workflowId}: ${formatReport(report)}`);
        return { text: lines.join('\n'), json: reports, ok: reports.every(isOk) };
      });
    });

async function waitForRuns(
  runs: readonly WorkflowHandle[],
  sources: Parameters<typeof showProgress>[0],
): Promise<RunReport[]> {
  const progress = showProgress(sources);
  try {
    return await Promise.all(runs.map(waitForRun));
  } finally {
    progress.stop();
  }
}

async function waitForRun(run: WorkflowHandle): Promise<RunReport> {
  const { workflowId } = run;
  try {
    return { workflowId, result: (await run.result()) as RunSummary | TargetsSummary };
  } catch (error) {
    return { workflowId, error: describeError(innermostCause(error)) };
  }
}

function innermostCause(error: unknown): unknown {
  let cause = error;
  while (
    cause instanceof Error &&
    (cause instanceof WorkflowFailedError || cause.cause instanceof Error) &&
    cause.cause
  )
    cause = cause.cause;
  return cause;
}

/** Whether neither the run itself nor, in a run over all targets, one of them failed. */
function isOk({ error, result }: RunReport): boolean {
  const failed = result !== undefined && 'outcomes' in result ? (result.outcomes['failed'] ?? 0) : 0;
  return error === undefined && failed === 0;
}

function formatReport({ error, result }: RunReport): string {
  if (error !== undefined) return error;
  return result === undefined ? 'started' : formatSummary(result);
}

/** Outcomes in words, where the two differ. */
const OUTCOME_TEXTS: Readonly<Record<string, string>> = {
  'not-due': 'already up to date',
  'already-running': 'already running',
};

function formatSummary(summary: RunSummary | TargetsSummary): string {
  if ('outcomes' in summary) {
    const outcomes = Object.entries(summary.outcomes).map(
      ([outcome, n]) => `${n} ${OUTCOME_TEXTS[outcome] ?? outcome}`,
    );
    const { nextUpdate } = summary;
    const next =
      nextUpdate === undefined
        ? ''
        : `. ESI's next update is at ${formatTime(new Date(nextUpdate), new Date())}.`;
    return `${summary.targets} targets: ${outcomes.join(', ')}${next}`;
  }
  const { outcome, inserted, changed = 0, removed = 0, detail } = summary;
  if (outcome === 'not-due' && detail !== undefined) return detail;
  const counts =
    inserted === undefined
      ? ''
      : ` (${[
          `${inserted.toLocaleString('en')} new`,
          `${changed.toLocaleString('en')} changed`,
          `${removed.toLocaleString('en')} removed`,
        ].join(', ')})`;
  return `${outcome}${counts}${detail === undefined ? '' : `: ${detail}`}`;
}
