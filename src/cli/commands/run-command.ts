import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import type { RunSummary } from '../../engine/run/run-steps.ts';
import { describeError } from '../../lib/errors.ts';
import { readProgress } from '../../store/sets/run-progress.ts';
import { startRuns } from '../../temporal/start-runs.ts';
import type { TargetsSummary } from '../../temporal/workflows/collect.ts';
import { type PrintingCommand, withDatabase, withTemporal } from '../command.ts';
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
    withTemporal(config, async (client) => {
      const runs = await startRuns(client, collector, targets);
      const wait = () => Promise.all(runs.map(waitForRun));
      let reports: RunReport[];
      if (!options.wait) reports = runs.map(({ workflowId }) => ({ workflowId }));
      else if (!options.showProgress) reports = await wait();
      else {
        reports = await withDatabase(config, log, async ({ db }) => {
          const progress = showProgress(() => readProgress(db, collector, targets));
          return wait().finally(() => progress.stop());
        });
      }
      const lines = reports.map((report) => `${report.workflowId}: ${formatReport(report)}`);
      return { text: lines.join('\n'), json: reports, ok: reports.every(isOk) };
    });

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
    return `${summary.targets} targets: ${outcomes.join(', ')}`;
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
