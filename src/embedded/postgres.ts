import { mkdir, open, readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { giveTo, postgresRunner, type PostgresRunner } from './os-user.ts';
import { freePort, isPortFree } from './ports.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import {
  ROLE,
  clusterPaths,
  ensureCluster,
  lastPort,
  rememberPort,
  writeSettings,
} from './postgres-cluster.ts';
import { isTaken, processCommand } from './processes.ts';
import { boundLogFile, logTail } from './server-log.ts';

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  /** Connection string of the database `eve`, password included. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Folder of the server's own: cluster, password, last port and log. */
  dir: string;
  /** Undefined or 0: the last used port when it is free, otherwise any. */
  port?: number;
  log: Log;
  /** Server settings that win over ours. */
  settings?: Record<string, string>;
  /** For tests only: makes the cluster without forcing it to disk. */
  noSync?: boolean;
}

interface Server {
  dir: string;
  cluster: string;
  logFile: string;
  binaries: PostgresBinaries;
  runner: PostgresRunner;
  log: Log;
}

/** Ctrl-C has to end everything within 10 s; a checkpoint of 256 MB takes two of them. */
const STOP_SECONDS = 6;
/** Nobody waits for an orphan's end but the start itself. */
const ORPHAN_SECONDS = 30;
/** After a kill -9, up to max_wal_size (2 GB) is replayed before connections are taken. */
const START_SECONDS = 600;
/** pg_ctl keeps its own time; this only guards against a pg_ctl that hangs. */
const GUARD_MS = 30_000;

function pgCtl(server: Server, command: string, ...args: string[]) {
  const seconds = command === 'start' ? START_SECONDS : ORPHAN_SECONDS;
  return server.runner.run(
    server.binaries.pgCtl,
    [command, '-D', server.cluster, ...args],
    seconds * 1_000 + GUARD_MS,
  );
}

/** Stops the server cleanly; when that takes too long, at once: the next start then replays its log. */
async function stopServer(server: Server, seconds: number): Promise<void> {
  const stopped = await pgCtl(server, 'stop', '-m', 'fast', '-w', '-t', String(seconds));
  if (stopped.code === 0 || !(await isRunning(server))) return;
  server.log.warn({ seconds }, 'PostgreSQL did not stop in time and is ended at once; nothing is lost');
  await pgCtl(server, 'stop', '-m', 'immediate', '-w', '-t', String(seconds));
}

async function isRunning(server: Server): Promise<boolean> {
  return (await pgCtl(server, 'status')).code === 0;
}

/**
 * Ends a server that a killed process of ours left running. A pid file whose number now belongs to another program,
 * or to the remains of a killed server, is removed: PostgreSQL itself would refuse to start because of it. Two servers
 * cannot come of that: one that still has the files open also holds shared memory, which the other one finds.
 */
async function endOrphan(server: Server): Promise<void> {
  const pidFile = join(server.cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!(pid > 0)) return;
  const command = await processCommand(pid);
  if (command === undefined && !isTaken(pid)) return; // Gone: PostgreSQL replaces the file itself.
  if (command?.includes(`-D ${server.cluster}`)) {
    server.log.info({ pid }, 'stopping a PostgreSQL that an earlier run left behind');
    await stopServer(server, ORPHAN_SECONDS);
  } else {
    await rm(pidFile, { force: true });
  }
}

async function choosePort(dir: string, wanted: number | undefined): Promise<number> {
  if (!wanted) return freePort(await lastPort(dir));
  if (await isPortFree(wanted)) return wanted;
  throw new AppError(
    `Port ${wanted} for the embedded PostgreSQL is taken by another program. Free it, or choose another port ` +
      '(0: any free one).',
    { code: 'POSTGRES_PORT', verdict: 'fail' },
  );
}

/** A port lost to another program, or processes of a killed server that still go down, are gone a moment later. */
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 1_000;

async function startServer(server: Server, options: EmbeddedPostgresOptions): Promise<number> {
  // The file is ours, so that it is there and the server's user may append to it.
  await (await open(server.logFile, 'a', 0o600)).close();
  await giveTo(server.runner.user, server.logFile);
  for (let attempt = 1; ; attempt += 1) {
    await endOrphan(server);
    const port = await choosePort(server.dir, options.port);
    await writeSettings(server.cluster, server.runner, port, options.settings);
    const started = await pgCtl(server, 'start', '-w', '-t', String(START_SECONDS), '-l', server.logFile);
    if (started.code === 0) return port;
    if (attempt === ATTEMPTS) {
      const said = (await logTail(server.logFile)) || started.output;
      throw new AppError(
        `The embedded PostgreSQL in ${server.dir} does not start. It said: ${said} (all of it: ${server.logFile}). ` +
          'Repair that, or set DATABASE_URL to a PostgreSQL of your own.',
        { code: 'POSTGRES_START', verdict: 'fail' },
      );
    }
    server.log.warn({ attempt }, 'PostgreSQL did not start, trying again');
    await sleep(BETWEEN_ATTEMPTS_MS);
  }
}

async function createDatabase(url: (database: string) => string): Promise<void> {
  const client = new Client({ connectionString: url('postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [ROLE]);
    if (!rowCount) await client.query(`CREATE DATABASE ${ROLE}`);
  } finally {
    await client.end();
  }
}

/**
 * Starts the PostgreSQL that comes with the npm package, on loopback only. Takes over what an earlier, killed process
 * left: its cluster, its port, and its still running server, which is stopped first. The server runs in a session of
 * its own and so does not get the terminal's Ctrl-C: it ends with `stop()`, after everything that uses it.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  await mkdir(options.dir, { recursive: true });
  const dir = await realpath(options.dir);
  const { cluster, logFile } = clusterPaths(dir);
  const binaries = await postgresBinaries();
  const runner = await postgresRunner(cluster, binaries.needed, options.log);
  const server: Server = { dir, cluster, logFile, binaries, runner, log: options.log };
  const password = await ensureCluster(dir, binaries, runner, {
    noSync: options.noSync ?? false,
    log: options.log,
  });
  const stopBounding = await boundLogFile(logFile);
  try {
    const port = await startServer(server, options);
    await rememberPort(dir, port);
    const url = (database: string) => `postgresql://${ROLE}:${password}@127.0.0.1:${port}/${database}`;
    await createDatabase(url);
    options.log.info({ port, dir }, 'embedded PostgreSQL is ready');
    const stop = async () => {
      stopBounding();
      await stopServer(server, STOP_SECONDS);
    };
    return { url: url(ROLE), port, stop };
  } catch (error) {
    stopBounding();
    await stopServer(server, STOP_SECONDS).catch(() => undefined);
    throw error;
  }
}
