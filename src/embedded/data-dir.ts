import { chmod, lstat, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../lib/errors.ts';

// The data directory holds the key of all tokens, the password of the database and what is trusted as ours. Windows has no
// such modes: its folders inherit who may use them.
const HAS_MODES = process.platform !== 'win32';

/** Mode bits of group and others. */
const OTHERS = 0o077;
const WRITE_BY_OTHERS = 0o022;
const READ_OR_WRITE_BY_OTHERS = 0o066;

/** A new file or folder of this process, and of the servers that it starts, is its user's alone. */
export function restrictNewFiles(): void {
  process.umask(OTHERS);
}

/** The error of a data directory that this user cannot use. */
export const unwritable = (dir: string, cause: unknown): AppError =>
  new AppError(
    `Cannot write to the data directory ${dir}. Make it writable for this user, or set another DATA_DIR.`,
    { code: 'DATA_DIR_UNWRITABLE', verdict: 'fail', cause },
  );

/** A path as one word for a shell. */
const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;

/**
 * Throws AppError DATA_DIR_OPEN when other users may write to the data directory: what they put there would be trusted as
 * ours. A directory that does not exist is none of theirs.
 */
export async function assertNotWritableByOthers(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined);
  if (!HAS_MODES || found === undefined || (found.mode & WRITE_BY_OTHERS) === 0) return;
  throw new AppError(
    `Other users of this machine may write to the data directory ${dir}. Check that nothing there is theirs, then run ` +
      `"chmod -R go-rwx ${quoted(dir)}", or set another DATA_DIR.`,
    { code: 'DATA_DIR_OPEN', verdict: 'fail' },
  );
}

/** The files of PostgreSQL, which closes them itself and may have thousands. */
const isCluster = (name: string): boolean => name.startsWith('cluster');

/**
 * Takes the rights of group and others from a folder and everything in it. The embedded PostgreSQL of root runs as another
 * user: a folder that root let it enter, and nothing more, stays so.
 */
async function closeToOthers(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  const isEntered =
    found.isDirectory() && process.getuid?.() === 0 && (found.mode & READ_OR_WRITE_BY_OTHERS) === 0;
  if ((found.mode & OTHERS) !== 0 && !isEntered) await chmod(path, found.mode & 0o700);
  if (!found.isDirectory()) return;
  for (const name of await readdir(path)) {
    // A file may be gone by now, or belong to another user; the folder around it is closed.
    if (!isCluster(name)) await closeToOthers(join(path, name)).catch(() => undefined);
  }
}

/**
 * Creates the data directory for this user alone, or closes an existing one, with everything in it, to all others. Throws
 * AppError DATA_DIR_OPEN when others may write there, and DATA_DIR_UNWRITABLE.
 */
export async function protectDataDir(dir: string): Promise<void> {
  await assertNotWritableByOthers(dir);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (HAS_MODES) await closeToOthers(await realpath(dir));
  } catch (error) {
    throw unwritable(dir, error);
  }
}
