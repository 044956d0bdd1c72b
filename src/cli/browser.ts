import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** What opens a file in the browser that a person uses. */
const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['explorer.exe'],
  linux: ['xdg-open'],
};

/** `&` is all of an address that HTML does not take as it is. */
const escape = (url: string) => url.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/**
 * Opens an address in the browser where somebody sits at a terminal. It goes through a file of ours: the address holds a
 * secret, and the arguments of a program are seen by everybody on the machine. That no browser opens is no error.
 */
export async function openInBrowser(
  url: string,
  dir: string,
): Promise<{ close(): Promise<void> } | undefined> {
  const [command, ...args] = OPENERS[process.platform] ?? [];
  if (command === undefined || !process.stdout.isTTY) return undefined;
  const file = path.join(dir, `login-${randomBytes(6).toString('hex')}.html`);
  const text = `<!doctype html><meta http-equiv="refresh" content="0; url=${escape(url)}">`;
  try {
    await writeFile(file, text, { mode: 0o600 });
  } catch {
    return undefined; // the address was printed
  }
  const child = spawn(command, [...args, pathToFileURL(file).href], { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  return { close: () => rm(file, { force: true }) };
}
