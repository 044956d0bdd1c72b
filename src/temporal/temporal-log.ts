import { DefaultLogger, Runtime } from '@temporalio/worker';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

const LEVELS = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Sends the messages of Temporal's SDK to our log. Call it once per process, before any worker is created. The SDK's
 * messages about starting and stopping are logged at `debug`.
 */
export function installTemporalLog(log: Log): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      // The `esi` worker has no workflows on purpose.
      const isRoutine = level === 'INFO' || message.startsWith('No workflows registered');
      // Task tokens and component names mean nothing to a person and fill lines.
      const { error, taskToken: _, sdkComponent: __, ...fields } = (meta ?? {}) as Record<string, unknown>;
      const cause = error === undefined ? {} : { error: describeError(error) };
      log[isRoutine ? 'debug' : LEVELS[level]]({ ...fields, ...cause }, message);
    }),
    // Shutdown is ours: workers stop before the servers that they are connected to.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
}
