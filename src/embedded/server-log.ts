import { copyFile, readFile, stat, truncate } from 'node:fs/promises';

/** Holds days of warnings; two such files per server fit on the smallest disk. */
const MAX_BYTES = 10 * 1024 * 1024;
/** A server that complains without pause writes some MB in this time, not GB. */
const CHECK_MS = 60_000;

async function shorten(file: string): Promise<void> {
  const size = await stat(file)
    .then((s) => s.size)
    .catch(() => 0);
  if (size <= MAX_BYTES) return;
  // The server keeps the file open for appending, so it can be emptied under it but not replaced.
  await copyFile(file, `${file}.1`);
  await truncate(file);
}

/**
 * Keeps the log file of a child server bounded: above 10 MB its content moves to `<file>.1` and it starts empty. Looks
 * at once and then every minute, until the returned function is called; never keeps the process alive.
 */
export async function boundLogFile(file: string): Promise<() => void> {
  await shorten(file);
  const timer = setInterval(() => void shorten(file).catch(() => undefined), CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The last lines of a log file, for a person who has to find out why a server did not start. */
export async function logTail(file: string, lines = 3): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  // The file is bounded, and 4 KB hold the last lines of any server we start.
  return text.slice(-4_096).trim().split('\n').slice(-lines).join(' | ');
}
