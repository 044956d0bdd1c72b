import { mkdir, readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { hideSecret } from '../lib/redact.ts';
import { postgresRunner, type PostgresRunner } from './os-user.ts';
import { choosePort } from './ports.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { ROLE, clusterPaths, ensureCluster, lastPort, storePort, writeSettings } from './postgres-cluster.ts';
import { isTaken, processCommand } from './processes.ts';
import { boundLogFile, logTail } from './server-log.ts';
import { openLogFile } from './user-files.ts';

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  /** Connection string of the database `eve`, with the password. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Folder of the server: cluster, password, last port and log. */
  dir: string;
  /** Undefined or 0: the port used last when it is free, otherwise any. */
  port?: number;
  log: Log;
  /** Server settings that override ours. */
  settings?: Record<string, string>;
  /** For tests only: creates the cluster without forcing it to disk. */
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

/** Ctrl-C must end everything within 10 s, of which a checkpoint of 512 MB takes four. */
const STOP_SECONDS = 6;
/** Only a start waits for the end of a server that an earlier process left running. */
const ORPHAN_SECONDS = 30;
/** After a kill -9, up to max_wal_size (2 GB) is replayed before connections are taken. */
const START_SECONDS = 600;
/** pg_ctl has its own timeout; this one only ends a pg_ctl that hangs. */
const EXTRA_MS = 30_000;

function pgCtl(server: Server, command: 'stop' | 'status', ...args: string[]) {
  return server.runner.run(
    server.binaries.pgCtl,
    [command, '-D', server.cluster, ...args],
    ORPHAN_SECONDS * 1_000 + EXTRA_MS,
  );
}

/** Poll interval of a start, which takes a tenth of a second when nothing is to be replayed. */
const POLL_MS = 25;

/** The line of `postmaster.pid` with the server's state: the eighth, as pg_ctl reads it. */
const STATE_LINE = 7;

/**
 * Starts the server and waits until it takes connections. Returns whether it does. pg_ctl would start it through a shell, to
 * which a path may be a command.
 */
async function startProcess(server: Server): Promise<boolean> {
  // Opened here, so that the server's user needs no right to create it.
  const log = await openLogFile(server.logFile, server.runner.user);
  try {
    const child = server.runner.start(server.binaries.postgres, ['-D', server.cluster], log.fd);
    const until = performance.now() + START_SECONDS * 1_000;
    while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const lines = (await readFile(join(server.cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split(
        '\n',
      );
      if (Number(lines[0]) === child.pid && lines[STATE_LINE]?.trim() === 'ready') return true;
      if (performance.now() > until) return false;
      await sleep(POLL_MS);
    }
    return false;
  } finally {
    await log.close();
  }
}

/** Stops the server cleanly, or immediately when that takes too long. The next start then replays its log. */
async function stopServer(server: Server, seconds: number): Promise<void> {
  const stopped = await pgCtl(server, 'stop', '-m', 'fast', '-w', '-t', String(seconds));
  if (stopped.code === 0 || !(await isRunning(server))) return;
  server.log.warn({ seconds }, 'PostgreSQL did not stop in time and is ended immediately; no data is lost');
  await pgCtl(server, 'stop', '-m', 'immediate', '-w', '-t', String(seconds));
}

async function isRunning(server: Server): Promise<boolean> {
  return (await pgCtl(server, 'status')).code === 0;
}

/**
 * Ends a server that a killed process left running. A pid file whose number belongs to another program now, or to the
 * remains of a killed server, is removed, because PostgreSQL would refuse to start. Two servers cannot result: one that
 * still has the files open also holds shared memory, which the other one finds.
 */
async function endOrphan(server: Server): Promise<void> {
  const pidFile = join(server.cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!(pid > 0)) return;
  const command = await processCommand(pid);
  if (command === undefined && !isTaken(pid)) return; // PostgreSQL replaces the file itself
  if (command?.includes(`-D ${server.cluster}`)) {
    server.log.info({ pid }, 'stopping a PostgreSQL that an earlier process left running');
    await stopServer(server, ORPHAN_SECONDS);
  } else {
    await rm(pidFile, { force: true });
  }
}

/** A port that another program took, or processes of a killed server that still end, are no problem a moment later. */
const MAX_ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 1_000;

const PORT_OWNER = { name: 'PostgreSQL', code: 'POSTGRES_PORT' };

async function startServer(server: Server, options: EmbeddedPostgresOptions): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    await endOrphan(server);
    const port = await choosePort(PORT_OWNER, options.port, await lastPort(server.dir));
    await writeSettings(server.cluster, server.runner, port, options.settings);
    if (await startProcess(server)) return port;
    if (attempt === MAX_ATTEMPTS) {
      const output = await logTail(server.logFile);
      throw new AppError(
        `The embedded PostgreSQL in ${server.dir} did not start: ${output} (full log: ${server.logFile}). Fix the cause, ` +
          'or set DATABASE_URL to your own PostgreSQL.',
        { code: 'POSTGRES_START', verdict: 'fail' },
      );
    }
    server.log.warn({ attempt }, 'PostgreSQL did not start and is tried again');
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
 * Starts the PostgreSQL of the npm package, on loopback only. Takes over what an earlier, killed process left: its
 * cluster, its port, and its running server, which is stopped first. The server runs in a session of its own, so that the
 * terminal's Ctrl-C does not reach it and it ends with `stop()`, after everything that uses it.
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
  hideSecret(password);
  const stopBounding = await boundLogFile(logFile);
  try {
    const port = await startServer(server, options);
    await storePort(dir, port);
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
