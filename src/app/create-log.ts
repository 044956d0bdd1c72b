import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from '../lib/log.ts';
import { redactField } from '../lib/redact.ts';
import { escapeInvisible, escapeInvisibleJson } from '../lib/text.ts';

/** A line without secrets, which errors of libraries may contain, and without characters that act on a terminal. */
function safeJsonLine(line: string): string {
  return `${escapeInvisibleJson(JSON.stringify(JSON.parse(line, redactField)))}\n`;
}

/** The same for a line whose texts are printed as they are: there a line break is a character like others. */
function safePrettyLine(line: string): string {
  const fields: unknown = JSON.parse(line, (name, value: unknown) => {
    const clean = redactField(name, value);
    return typeof clean === 'string' ? escapeInvisible(clean) : clean;
  });
  return `${JSON.stringify(fields)}\n`;
}

/** The log of the process, on stderr: stdout is for what a command prints. */
export function createLog(level: string, format: 'json' | 'pretty'): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: format === 'pretty' ? safePrettyLine : safeJsonLine },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const stream =
    format === 'pretty'
      ? pretty({ destination: 2, ignore: 'pid,hostname', sync: true })
      : pino.destination({ fd: 2, sync: true });
  return pino(options, stream);
}
