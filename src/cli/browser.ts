import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The program that opens a file in the user's browser. */
const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['explorer.exe'],
  linux: ['xdg-open'],
};

/** Quotes and `&` are the only characters of an address that HTML attributes do not take as they are. */
const escapeAttribute = (url: string) => url.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/**
 * Opens an address in the browser when stdout is a terminal. The address contains a secret, and every user of the machine
 * can see the arguments of a program, so the browser gets a file of ours that redirects. That no browser opens is not an
 * error: the address was printed.
 */
export async function openInBrowser(
  url: string,
  dir: string,
): Promise<{ close(): Promise<void> } | undefined> {
  const [command, ...args] = OPENERS[process.platform] ?? [];
  if (command === undefined || !process.stdout.isTTY) return undefined;
  const file = path.join(dir, `login-${randomBytes(6).toString('hex')}.html`);
  const redirect = `<!doctype html><meta http-equiv="refresh" content="0; url=${escapeAttribute(url)}">`;
  try {
    await writeFile(file, redirect, { mode: 0o600 });
  } catch {
    return undefined;
  }
  const child = spawn(command, [...args, pathToFileURL(file).href], { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  return { close: () => rm(file, { force: true }) };
}
