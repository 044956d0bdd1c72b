import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { DAY, HOUR } from '../lib/duration.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

const LEVELS = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Causes that are remembered. Their texts are bounded, and more at once than a screen shows help nobody. */
const MAX_CAUSES = 1_000;

/**
 * The SDK's messages about failures: what they are called here, and after which time (ms) a cause that lasts is told again.
 * A step is attempted every few seconds, a run every few minutes by its schedule.
 */
const FAILURES: Readonly<Record<string, { readonly text: string; readonly tellAgain: number }>> = {
  'Activity failed': { text: 'a step of a run failed', tellAgain: HOUR },
  'Workflow failed': { text: 'a run failed', tellAgain: DAY },
};

/**
 * Sends the messages of Temporal's SDK to our log. Call it once per process, before any worker is created. The SDK's
 * messages about starting and stopping are logged at `debug`.
 */
export function installTemporalLog(log: Log): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', createTemporalLog(log)),
    // Shutdown is ours: workers stop before the servers that they are connected to.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
}

/**
 * Writes messages of Temporal's SDK to our log. One cause is one line, however many steps and runs fail of it: the others
 * are logged at `debug`.
 */
export function createTemporalLog(log: Log, now: () => number = Date.now): (entry: LogEntry) => void {
  const toldAt = new Map<string, number>();
  const isNews = (cause: string, tellAgain: number): boolean => {
    const last = toldAt.get(cause);
    if (last !== undefined && now() - last < tellAgain) return false;
    if (toldAt.size >= MAX_CAUSES) toldAt.clear();
    toldAt.set(cause, now());
    return true;
  };
  return ({ level, message, meta }) => {
    // Task tokens and component names mean nothing to a person and fill lines.
    const { error, taskToken: _, sdkComponent: __, ...fields } = (meta ?? {}) as Record<string, unknown>;
    const failure = FAILURES[message];
    if (failure && level === 'WARN') {
      const cause = describeError(innermostCause(error));
      // A step that is not attempted again fails its run, which is told then.
      const isTold = !isFinalStep(message, error) && isNews(cause, failure.tellAgain);
      const told = isTold ? { run: fields['workflowId'] } : { ...fields, run: fields['workflowId'] };
      log[isTold ? 'warn' : 'debug'](told, `${failure.text}: ${cause}`);
      return;
    }
    // The `esi` worker has no workflows on purpose.
    const isRoutine = level === 'INFO' || message.startsWith('No workflows registered');
    const cause = error === undefined ? {} : { error: describeError(error) };
    log[isRoutine ? 'debug' : LEVELS[level]]({ ...fields, ...cause }, message);
  };
}

const isFinalStep = (message: string, error: unknown): boolean =>
  message === 'Activity failed' && (error as { nonRetryable?: unknown } | undefined)?.nonRetryable === true;

/** A run fails of the failure of its step, which has the cause. Errors of workflows come from another realm. */
function innermostCause(error: unknown): unknown {
  let cause = error;
  for (let next = cause; next; next = (next as { cause?: unknown }).cause) cause = next;
  return cause instanceof Error ? cause : ((cause as { message?: unknown } | undefined)?.message ?? cause);
}
