import { escapeInvisibleJson, escapeInvisibleLines } from '../lib/text.ts';

/** Exit codes. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;

/** Writes to stdout, which is for the results of commands only. Texts from elsewhere cannot act on the terminal. */
export const printResult = (text: string) => void process.stdout.write(`${escapeInvisibleLines(text)}\n`);

/** Writes a JSON value to stdout, in one line. */
export const printJson = (value: unknown) =>
  void process.stdout.write(`${escapeInvisibleJson(JSON.stringify(value))}\n`);

export const printError = (text: string) => void process.stderr.write(`${escapeInvisibleLines(text)}\n`);

/** Aborts at the first Ctrl-C, SIGTERM or SIGHUP (a closed terminal). The second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => (controller.signal.aborted ? process.exit(FAILED) : controller.abort());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return controller.signal;
}
