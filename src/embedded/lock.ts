import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../lib/errors.ts';
import { processStart } from './processes.ts';

/** The claim on a data directory, held until it is released or the process is gone. */
export interface DataDirLock {
  release(): Promise<void>;
}

// Every process claims the directory with a file of its own, named after itself (`lock.<pid>.<start>`), and only
// then looks who else has one. Nobody ever replaces or moves a foreign file, only files of processes that are gone
// are removed, and the name alone says everything: no race and no half-written file can give two owners. Of two who
// see each other at least one had not looked yet, so both step back for a random moment and try again.
const NAME = /^lock\.(\d+)\.([A-Za-z0-9-]+)$/;

/** Two starters that collide part within one or two rounds; a running owner is still there after all of them. */
const ROUNDS = 6;
/** One round takes a few milliseconds; waits of 20 to 100 ms let the two get out of step. */
const WAIT_MIN_MS = 20;
const WAIT_SPREAD_MS = 80;

/** The living process that claims the directory besides `own`; the files of processes that are gone are removed. */
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
      'Stop that one first, or give this one a DATA_DIR of its own.',
    { code: 'DATA_DIR_IN_USE', verdict: 'fail' },
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function claim(dir: string, own: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, own), '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(dir)))
      throw inUse(dir, process.pid);
    throw new AppError(
      `The data directory ${dir} cannot be written to. Give this user the right to write there, or set DATA_DIR.`,
      { code: 'DATA_DIR_UNWRITABLE', verdict: 'fail', cause: error },
    );
  }
}

/**
 * Claims a data directory for this process. Fails with `DATA_DIR_IN_USE` while another living process holds it; what
 * a killed process left behind does not count, even when its process id was given to another program since.
 */
export async function lockDataDir(dir: string): Promise<DataDirLock> {
  const own = `lock.${process.pid}.${(await processStart(process.pid)) ?? 'unknown'}`;
  const release = () => rm(join(dir, own), { force: true });
  for (let round = 1; ; round += 1) {
    await claim(dir, own);
    const owner = await otherOwner(dir, own);
    if (owner === undefined) return { release };
    await release();
    if (round === ROUNDS) throw inUse(dir, owner);
    await sleep(WAIT_MIN_MS + Math.random() * WAIT_SPREAD_MS);
  }
}
