import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from '../lib/log.ts';
import { redactSecrets } from '../lib/redact.ts';

/** The log of the process, on stderr: stdout is for what a command prints. */
export function createLog(level: string, format: 'json' | 'pretty'): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: redactSecrets }, // errors of libraries may contain secrets
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const stream =
    format === 'pretty'
      ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true })
      : pino.destination({ fd: 2, sync: true });
  return pino(options, stream);
}
