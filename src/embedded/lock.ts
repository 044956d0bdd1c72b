import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../lib/errors.ts';
import { unwritable } from './data-dir.ts';
import { processStart } from './processes.ts';

/** The lock of a data directory, held until it is released or the process ends. */
export interface DataDirLock {
  release(): Promise<void>;
}

// Every process creates a file of its own, named after itself (`lock.<pid>.<start>`), and only then looks for files of
// other processes. Files of other processes are never replaced or moved, and only those of ended processes are removed.
// The name holds all information, so neither a race nor a half-written file can give two owners. Of two processes that
// see each other at least one has not looked yet, so both remove their file, wait for a random time and try again.
const NAME = /^lock\.(\d+)\.([A-Za-z0-9-]+)$/;

/** Two processes that collide separate within one or two attempts; a running owner is still there after all of them. */
const MAX_ATTEMPTS = 6;
/** One attempt takes a few milliseconds; waits of 20 to 100 ms let the two get out of step. */
const WAIT_MIN_MS = 20;
const WAIT_SPREAD_MS = 80;

/** The running process that holds the lock besides `own`. Files of ended processes are removed. */
async function otherOwner(dir: string, own: string): Promise<number | undefined> {
  let owner: number | undefined;
  for (const name of await readdir(dir)) {
    const match = NAME.exec(name);
    if (!match || name === own) continue;
    const pid = Number(match[1]);
    if ((await processStart(pid)) === match[2]) owner = pid;
    else await rm(join(dir, name), { force: true });
  }
  return owner;
}

function inUse(dir: string, pid: number): AppError {
  return new AppError(
    `The data directory ${dir} is in use by another running eve-data-collector (process ${pid}). ` +
      'Stop that process first, or set another DATA_DIR.',
    { code: 'DATA_DIR_IN_USE', verdict: 'fail' },
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function createFile(dir: string, own: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, own), '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(dir)))
      throw inUse(dir, process.pid);
    throw unwritable(dir, error);
  }
}

/**
 * Locks a data directory for this process. Throws AppError DATA_DIR_IN_USE while another running process holds the lock,
 * and DATA_DIR_UNWRITABLE. The lock of a killed process does not count, even when its process id belongs to another
 * program now.
 */
export async function lockDataDir(dir: string): Promise<DataDirLock> {
  const own = `lock.${process.pid}.${(await processStart(process.pid)) ?? 'unknown'}`;
  const release = () => rm(join(dir, own), { force: true });
  for (let attempt = 1; ; attempt += 1) {
    await createFile(dir, own);
    const owner = await otherOwner(dir, own);
    if (owner === undefined) return { release };
    await release();
    if (attempt === MAX_ATTEMPTS) throw inUse(dir, owner);
    await sleep(WAIT_MIN_MS + Math.random() * WAIT_SPREAD_MS);
  }
}
