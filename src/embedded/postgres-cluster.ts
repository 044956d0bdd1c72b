import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { giveTo, type PostgresRunner } from './os-user.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

/** The superuser and the database of the embedded server. */
export const ROLE = 'eve';

/** Our settings, in a file of their own that postgresql.conf includes: what a person writes there stays. */
const CONF = 'eve.conf';

/** Where the parts of the embedded server lie below its folder. */
export function clusterPaths(dir: string) {
  return {
    cluster: join(dir, 'cluster'),
    password: join(dir, 'password'),
    port: join(dir, 'port'),
    logFile: join(dir, 'postgres.log'),
  };
}

/** Writes a small file so that it is whole or not there at all, also after a power cut. */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

/** initdb takes one to ten seconds; a slow memory card takes a minute. */
const INITDB_MS = 300_000;

const INITDB_ARGS = [
  `--username=${ROLE}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  // The order of text and the case rules come from PostgreSQL itself and are the same on every machine.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
];

async function initialise(
  dir: string,
  binaries: PostgresBinaries,
  runner: PostgresRunner,
  noSync: boolean,
): Promise<void> {
  const { cluster, password } = clusterPaths(dir);
  // Made under another name and renamed when it is whole: a start that is killed half way leaves no half cluster.
  const fresh = `${cluster}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  const secret = randomBytes(24).toString('base64url');
  const secretCopy = `${fresh}.secret`;
  await mkdir(fresh, { mode: 0o700 });
  await giveTo(runner.user, fresh);
  await writeFile(secretCopy, secret, { mode: 0o600 });
  await giveTo(runner.user, secretCopy);
  const args = ['-D', fresh, `--pwfile=${secretCopy}`, ...INITDB_ARGS, ...(noSync ? ['--no-sync'] : [])];
  const { code, output } = await runner.run(binaries.initdb, args, INITDB_MS);
  await rm(secretCopy, { force: true });
  if (code !== 0) {
    await rm(fresh, { recursive: true, force: true });
    throw new AppError(
      `The embedded PostgreSQL could not make its files in ${dir}: ${describeError(output)} ` +
        'Check the free space and the rights there, or set DATABASE_URL to a PostgreSQL of your own.',
      { code: 'POSTGRES_INITDB', verdict: 'fail' },
    );
  }
  await appendFile(join(fresh, 'postgresql.conf'), `\ninclude_if_exists '${CONF}'\n`);
  await writeWhole(password, secret);
  await rename(fresh, cluster);
}

/** Removes what killed starts left half made, and moves aside what is no cluster. True when there is a whole one. */
async function hasCluster(dir: string, log: Log): Promise<boolean> {
  const { cluster } = clusterPaths(dir);
  for (const name of await readdir(dir)) {
    if (!name.startsWith('cluster.new-')) continue;
    log.info({ folder: join(dir, name) }, 'removing an unfinished PostgreSQL cluster');
    // An initdb whose starter was killed may still write there; what it leaves is removed by the next start.
    await rm(join(dir, name), { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined);
  }
  const found = await stat(cluster).catch(() => undefined);
  if (!found) return false;
  const uid = process.getuid?.();
  if (uid && found.uid !== uid) {
    throw new AppError(
      `The embedded PostgreSQL's files in ${cluster} belong to another user (uid ${found.uid}). Start as that user, ` +
        `or give this user the folder (chown -R ${uid} ${dir}).`,
      { code: 'POSTGRES_OWNER', verdict: 'fail' },
    );
  }
  // initdb writes both early and late; a cluster that lacks one was never finished or has lost its files.
  const parts = ['PG_VERSION', 'global/pg_control'].map((part) => stat(join(cluster, part)));
  if ((await Promise.allSettled(parts)).every(({ status }) => status === 'fulfilled')) return true;
  const aside = `${cluster}.unusable-${randomBytes(4).toString('hex')}`;
  await rename(cluster, aside);
  log.warn({ folder: aside }, 'the PostgreSQL cluster was not whole: moved aside, a new one is made');
  return false;
}

/** Makes the cluster unless it is there, and returns its superuser's password. */
export async function ensureCluster(
  dir: string,
  binaries: PostgresBinaries,
  runner: PostgresRunner,
  options: { noSync: boolean; log: Log },
): Promise<string> {
  const { cluster, password } = clusterPaths(dir);
  if (!(await hasCluster(dir, options.log))) {
    await initialise(dir, binaries, runner, options.noSync);
  } else if (runner.user && (await stat(cluster)).uid === 0) {
    await giveTo(runner.user, cluster); // Put back by root from a backup.
  }
  try {
    return (await readFile(password, 'utf8')).trim();
  } catch (error) {
    throw new AppError(
      `The password file ${password} of the embedded PostgreSQL cannot be read. Put it back from a backup; ` +
        `without it the data in ${cluster} cannot be opened.`,
      { code: 'POSTGRES_PASSWORD', verdict: 'fail', cause: error },
    );
  }
}

/** For a home machine with two cores and a few GB of memory that does other things too. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100', // four processes with pools of 25
  shared_buffers: '256MB', // indexes of the hot tables
  effective_cache_size: '1GB', // what the system's file cache will hold for us
  maintenance_work_mem: '128MB',
  jit: 'off', // our statements are short: compiling costs more than it saves
  synchronous_commit: 'on', // kill -9 and power cuts lose nothing
  wal_compression: 'on', // whole-page images are most of the log of a bulk writer
  max_wal_size: '2GB', // a set of market orders must not force a checkpoint of its own
  checkpoint_timeout: '15min',
  random_page_cost: '1.1', // solid-state disk
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %d ',
  // A refused statement, and the row that it was refused for, may have tokens in them: who sent it is told both.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  // The server's output goes to a file that we keep bounded, see server-log.ts.
  logging_collector: 'off',
};

/** Writes the server's settings; `extra` wins over ours. */
export async function writeSettings(
  cluster: string,
  runner: PostgresRunner,
  port: number,
  extra: Record<string, string> = {},
): Promise<void> {
  const lines = Object.entries({ ...SETTINGS, port: String(port), ...extra }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`,
  );
  const file = join(cluster, CONF);
  await writeWhole(
    file,
    `# Written at every start. Own settings belong into postgresql.auto.conf.\n${lines.join('\n')}\n`,
  );
  await giveTo(runner.user, file);
}

/** The port used last, so that tools of the person find the database where it was. */
export async function lastPort(dir: string): Promise<number | undefined> {
  const text = await readFile(clusterPaths(dir).port, 'utf8').catch(() => '');
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Remembers the port for the next start. */
export async function rememberPort(dir: string, port: number): Promise<void> {
  await writeWhole(clusterPaths(dir).port, String(port));
}
