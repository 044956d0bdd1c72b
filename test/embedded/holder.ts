import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A child process that holds a server or a lock. */
export interface Holder<T> {
  child: ChildProcess;
  held: T;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Runs hold.ts in a process of its own and waits until it holds. */
export async function startHolder<T>(...args: string[]): Promise<Holder<T>> {
  const loader = pathToFileURL(join(import.meta.dirname, '..', 'support', 'ts-loader.mjs')).href;
  const child = spawn(process.execPath, ['--import', loader, join(import.meta.dirname, 'hold.ts'), ...args], {
    detached: true, // A group of its own, as a terminal gives one to every command.
    stdio: 'pipe', // It ends with its standard input, and so with us.
  });
  const ended = once(child, 'exit');
  let [text, errors] = ['', ''];
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  child.stdout.setEncoding('utf8');
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  if (!text) throw new Error(`The holder ended: ${errors}`);
  const held = JSON.parse(text) as T;
  const kill = async (signal: NodeJS.Signals) => {
    // The whole group, as a terminal's Ctrl-C does.
    process.kill(-(child.pid ?? Number.NaN), signal);
    await ended;
  };
  return { child, held, kill };
}

/** A folder for one test, closed to all others as mkdtemp makes it. */
export async function temporaryFolder(): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-embedded-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 3 }) };
}
