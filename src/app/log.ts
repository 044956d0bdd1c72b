import { DefaultLogger, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import pretty from 'pino-pretty';
import { describeError } from '../lib/errors.ts';
import { redactSecrets } from '../lib/redact.ts';
import type { Log } from '../lib/log.ts';

/** The log of the process, on stderr: stdout belongs to what a command prints. */
export function createLog(level: string, format: 'json' | 'pretty'): Log {
  const stream =
    format === 'pretty' ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true }) : undefined;
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: redactSecrets }, // whatever an error of a library may have held
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return stream ? pino(options, stream) : pino(options, pino.destination({ fd: 2, sync: true }));
}

const LEVELS = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Sends what Temporal's SDK has to say to our log. Once per process, before any worker. Its own chatter about starting
 * and stopping is of no interest at `info`.
 */
export function installTemporalLog(log: Log): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      // The `esi` worker has no workflows on purpose.
      const chatter = level === 'INFO' || message.startsWith('No workflows registered');
      const own = chatter ? 'debug' : LEVELS[level];
      // Tokens and components say nothing to a person, and fill lines.
      const { error, taskToken: _, sdkComponent: __, ...fields } = (meta ?? {}) as Record<string, unknown>;
      log[own]({ ...fields, ...(error === undefined ? {} : { error: describeError(error) }) }, message);
    }),
    // Shutdown is ours: workers end before the servers they speak to.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
}
