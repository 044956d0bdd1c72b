import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { AppError } from '../lib/errors.ts';
import type { OsUser } from './os-user.ts';
import { run } from './processes.ts';

// Started as root, this process writes into the folder of the cluster, which belongs to the user of PostgreSQL. Whoever has that
// user could put a link to a file of root there, which root would then overwrite or give away. So links are never followed,
// and owners are changed through open files, not by name.

/** Windows has no such flag, and there nobody writes into folders of other users. */
const NO_FOLLOW = process.platform === 'win32' ? 0 : constants.O_NOFOLLOW;

/** Writes a small file atomically, for `owner` if given: after a crash it is complete or missing. */
export async function writeAtomically(file: string, text: string, owner?: OsUser): Promise<void> {
  // The name cannot be guessed, so that nobody can occupy it either.
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  const handle = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW,
    0o600,
  );
  try {
    if (owner) await handle.chown(owner.uid, owner.gid);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

/** Appends to an existing file of `owner`. Throws AppError POSTGRES_OWNER for a link, or a file that is another user's as well. */
export async function appendToFile(file: string, text: string, owner: OsUser | undefined): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_APPEND | NO_FOLLOW;
  const handle = await open(file, flags).catch((error: unknown) => {
    throw notOwned(file, error);
  });
  try {
    const { uid, nlink } = await handle.stat();
    // A second name may be that of a file of root.
    if (owner && (uid !== owner.uid || nlink !== 1)) throw notOwned(file);
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

const notOwned = (file: string, cause?: unknown) =>
  new AppError(
    `${file} is not a plain file of the user that PostgreSQL runs as. Check who changed it, move its folder aside, and ` +
      'start again.',
    { code: 'POSTGRES_OWNER', verdict: 'fail', cause },
  );

/** Opens a log file for appending, for `owner` if given. */
export async function openLogFile(file: string, owner: OsUser | undefined) {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | NO_FOLLOW;
  const handle = await open(file, flags, 0o600);
  if (owner) await handle.chown(owner.uid, owner.gid);
  return handle;
}

/** Removes a folder of `owner` with everything in it. */
export async function removeFolder(folder: string, owner: OsUser | undefined): Promise<void> {
  // Node removes by names, which the owner could redirect meanwhile; `rm` goes by open folders.
  if (owner) await run('rm', ['-rf', '--', folder]);
  else await rm(folder, { recursive: true, force: true, maxRetries: 2 });
}
