import { copyFile, readFile, stat, truncate } from 'node:fs/promises';

/** Enough for days of warnings; two such files per server fit on the smallest disk. */
const MAX_BYTES = 10 * 1024 * 1024;
/** A server that logs without pause writes some MB in this time, not GB. */
const CHECK_MS = 60_000;

async function shorten(file: string): Promise<void> {
  const stats = await stat(file).catch(() => undefined);
  if (!stats || stats.size <= MAX_BYTES) return;
  // The server has the file open for appending, so it can be truncated but not replaced.
  await copyFile(file, `${file}.1`);
  await truncate(file);
}

/**
 * Bounds the log file of a server: above 10 MB its content moves to `<file>.1` and it starts empty. The size is checked
 * at once and then every minute, until the returned function is called.
 */
export async function boundLogFile(file: string): Promise<() => void> {
  await shorten(file);
  const timer = setInterval(() => void shorten(file).catch(() => undefined), CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The last lines of a log file, for the message that a server did not start. */
export async function logTail(file: string, lines = 3): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  // The file is bounded, and 4 KB contain the last lines of every server.
  return text.slice(-4_096).trim().split('\n').slice(-lines).join(' | ');
}
