import { totalmem } from 'node:os';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { changeOwner, type OsUser, type PostgresRunner } from './os-user.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { appendToFile, removeFolder, writeAtomically } from './user-files.ts';

/** The superuser and the database of the embedded server. */
export const ROLE = 'eve';

/** Our settings are in a file that postgresql.conf includes, so that changes by hand in postgresql.conf remain. */
const CONF = 'eve.conf';

/** The files of the embedded server in its folder. */
export function clusterPaths(dir: string) {
  return {
    cluster: join(dir, 'cluster'),
    password: join(dir, 'password'),
    port: join(dir, 'port'),
    logFile: join(dir, 'postgres.log'),
  };
}

/** initdb takes one to ten seconds, and a minute on a slow memory card. */
const INITDB_MS = 300_000;

const INITDB_ARGS = [
  `--username=${ROLE}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  // Sort order and case rules come from PostgreSQL itself and are the same on every machine.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
];

async function createCluster(
  dir: string,
  binaries: PostgresBinaries,
  runner: PostgresRunner,
  noSync: boolean,
): Promise<void> {
  const { cluster, password } = clusterPaths(dir);
  // Created under another name and renamed when it is complete, so that a killed start leaves no half cluster.
  const fresh = `${cluster}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  const secret = randomBytes(24).toString('base64url');
  const secretCopy = `${fresh}.secret`;
  await mkdir(fresh, { mode: 0o700 });
  await changeOwner(runner.user, fresh);
  await writeFile(secretCopy, secret, { flag: 'wx', mode: 0o600 });
  await changeOwner(runner.user, secretCopy);
  const args = ['-D', fresh, `--pwfile=${secretCopy}`, ...INITDB_ARGS, ...(noSync ? ['--no-sync'] : [])];
  const { code, output } = await runner.run(binaries.initdb, args, INITDB_MS);
  await rm(secretCopy, { force: true });
  if (code !== 0) {
    await removeFolder(fresh, runner.user);
    throw new AppError(
      `The embedded PostgreSQL could not create its files in ${dir}: ${describeError(output)} ` +
        'Check free space and permissions there, or set DATABASE_URL to your own PostgreSQL.',
      { code: 'POSTGRES_INITDB', verdict: 'fail' },
    );
  }
  await appendToFile(join(fresh, 'postgresql.conf'), `\ninclude_if_exists '${CONF}'\n`, runner.user);
  await writeAtomically(password, secret);
  await rename(fresh, cluster);
}

/** Whether there is a complete cluster. Removes what killed starts left, and moves an incomplete cluster aside. */
async function hasCluster(dir: string, user: OsUser | undefined, log: Log): Promise<boolean> {
  const { cluster } = clusterPaths(dir);
  for (const name of await readdir(dir)) {
    if (!name.startsWith('cluster.new-')) continue;
    log.info({ folder: join(dir, name) }, 'removing an unfinished PostgreSQL cluster');
    // An initdb whose parent was killed may still write there. The next start removes what it leaves.
    await removeFolder(join(dir, name), user).catch(() => undefined);
  }
  const found = await stat(cluster).catch(() => undefined);
  if (!found) return false;
  const uid = process.getuid?.();
  if (uid && found.uid !== uid) {
    throw new AppError(
      `The files of the embedded PostgreSQL in ${cluster} belong to another user (uid ${found.uid}). Start as that ` +
        `user, or change their owner (chown -R ${uid} ${dir}).`,
      { code: 'POSTGRES_OWNER', verdict: 'fail' },
    );
  }
  // initdb writes one of them early and one late. A cluster without both was never finished or has lost files.
  const parts = ['PG_VERSION', 'global/pg_control'].map((part) => stat(join(cluster, part)));
  if ((await Promise.allSettled(parts)).every(({ status }) => status === 'fulfilled')) return true;
  const aside = `${cluster}.unusable-${randomBytes(4).toString('hex')}`;
  await rename(cluster, aside);
  log.warn(
    { folder: aside },
    'the PostgreSQL cluster is incomplete: it was moved aside, and a new one is created',
  );
  return false;
}

/** Creates the cluster if needed, and returns its superuser's password. */
export async function ensureCluster(
  dir: string,
  binaries: PostgresBinaries,
  runner: PostgresRunner,
  options: { noSync: boolean; log: Log },
): Promise<string> {
  const { cluster, password } = clusterPaths(dir);
  if (!(await hasCluster(dir, runner.user, options.log))) {
    await createCluster(dir, binaries, runner, options.noSync);
  } else if (runner.user && (await stat(cluster)).uid === 0) {
    await changeOwner(runner.user, await realpath(cluster)); // restored by root from a backup
  }
  try {
    return (await readFile(password, 'utf8')).trim();
  } catch (error) {
    throw new AppError(
      `Cannot read the password file ${password} of the embedded PostgreSQL. Restore it from a backup; without it the ` +
        `data in ${cluster} cannot be opened.`,
      { code: 'POSTGRES_PASSWORD', verdict: 'fail', cause: error },
    );
  }
}

/**
 * Memory of the server: the orders of all regions with their indexes are 400 MB, and what does not fit is written anew in
 * each sweep. A small machine gets less, for the usual regions.
 */
const sharedBuffers = () => (totalmem() < SMALL_MACHINE ? '256MB' : '512MB');

/** Bytes of memory. */
const SMALL_MACHINE = 4e9;

/** Settings for a home machine with two cores and a few GB of memory that has other work too. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100', // four processes with pools of 25
  shared_buffers: sharedBuffers(),
  effective_cache_size: '1GB', // our expected share of the system's file cache
  maintenance_work_mem: '128MB',
  jit: 'off', // statements are short, so compiling costs more than it saves
  synchronous_commit: 'on', // kill -9 and power cuts lose nothing
  wal_compression: 'on', // whole-page images are most of the log of a bulk writer
  max_wal_size: '2GB', // bounds what is replayed after a kill; a snapshot of market orders must not force a checkpoint
  checkpoint_timeout: '6h', // changes are scattered over the tables: each checkpoint writes every touched page anew
  random_page_cost: '1.1', // solid-state disk
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %d ',
  // A failed statement and its row may contain tokens. The client gets both in its error.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  // The server's output goes to a file that server-log.ts bounds.
  logging_collector: 'off',
};

/** Writes the server's settings. `extra` overrides ours. */
export async function writeSettings(
  cluster: string,
  runner: PostgresRunner,
  port: number,
  extra: Record<string, string> = {},
): Promise<void> {
  const lines = Object.entries({ ...SETTINGS, port: String(port), ...extra }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`,
  );
  const note = '# Written at every start. Put your own settings into postgresql.auto.conf.';
  await writeAtomically(join(cluster, CONF), `${note}\n${lines.join('\n')}\n`, runner.user);
}

/** The port used last, so that other tools find the database where it was. */
export async function lastPort(dir: string): Promise<number | undefined> {
  const text = await readFile(clusterPaths(dir).port, 'utf8').catch(() => '');
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Stores the port for the next start. */
export async function storePort(dir: string, port: number): Promise<void> {
  await writeAtomically(clusterPaths(dir).port, String(port));
}
