import { open, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { endProcess, findProcesses, processCommand, processStart } from './processes.ts';
import { temporalVersion } from './temporal-cli.ts';

/** The server's state. SQLite has two more files with this name and a suffix. */
const DB_FILE = 'temporal.db';
const VERSION_FILE = 'temporal.db.version';
const PID_FILE = 'temporal.pid';
const PORTS_FILE = 'temporal.ports';

/** The server has no long work to finish, so it hangs after this time. Part of the 10 s that a Ctrl-C may take. */
export const GRACE_MS = 5_000;

async function readJson<T>(file: string): Promise<Partial<T>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Partial<T>;
  } catch {
    return {}; // missing, or half-written by a killed process
  }
}

/** Records process id and start time of the server beside its data, which identify it later. */
export async function recordServer(dir: string, pid: number): Promise<void> {
  const start = await processStart(pid);
  await writeFile(join(dir, PID_FILE), JSON.stringify({ pid, start }), { mode: 0o600 });
}

/** The argument with the state file, by which a server is found. It is the full path, because others may end alike. */
export function dbArgument(dir: string): string {
  return `--db-filename=${join(dir, DB_FILE)}`;
}

/** Ends the servers that killed processes left running on this folder. */
export async function endOrphans(dir: string, log: Log): Promise<void> {
  const { pid: recorded, start } = await readJson<{ pid: number; start: string }>(join(dir, PID_FILE));
  // By file name too, because a process may be killed before it records the server.
  const pids = new Set(await findProcesses('start-dev', dbArgument(dir)));
  if (recorded && start && (await processStart(recorded)) === start) {
    if ((await processCommand(recorded))?.includes('start-dev')) pids.add(recorded);
  }
  for (const pid of pids) {
    log.info({ pid }, 'ending a Temporal server that an earlier process left running');
    if (await endProcess(pid, GRACE_MS)) continue;
    throw new AppError(
      `A Temporal server of an earlier process (process ${pid}) still uses ${dir} and cannot be ended. End it and ` +
        'start again.',
      { code: 'TEMPORAL_ORPHAN', verdict: 'fail' },
    );
  }
}

/** The ports used last, so that bookmarks of the Web UI remain valid. */
export function lastPorts(dir: string): Promise<Partial<{ port: number; uiPort: number }>> {
  return readJson(join(dir, PORTS_FILE));
}

/** Stores the ports for the next start. */
export async function storePorts(dir: string, ports: { port: number; uiPort: number }): Promise<void> {
  await writeFile(join(dir, PORTS_FILE), JSON.stringify(ports));
}

/** SQLite's header: the page size (1: 64 KB), the pages of the file, and those of them that are free. Big-endian. */
const SQLITE_HEADER = { bytes: 100, pageSize: 16, pages: 28, freePages: 36 };

/**
 * Bytes of the state that hold something, with the log of SQLite: the file never shrinks, and its free pages are used again.
 * 0 without a file.
 */
export async function usedBytes(dir: string): Promise<number> {
  const header = Buffer.alloc(SQLITE_HEADER.bytes);
  const file = await open(join(dir, DB_FILE)).catch(() => undefined);
  if (!file) return 0;
  try {
    await file.read(header, 0, header.length, 0);
  } finally {
    await file.close();
  }
  const pageSize = header.readUInt16BE(SQLITE_HEADER.pageSize);
  const used = header.readUInt32BE(SQLITE_HEADER.pages) - header.readUInt32BE(SQLITE_HEADER.freePages);
  const log = await stat(join(dir, `${DB_FILE}-wal`)).catch(() => undefined);
  return used * (pageSize === 1 ? 65_536 : pageSize) + (log?.size ?? 0);
}

/** The version of the server inside the CLI, to which the state belongs. Two CLIs may contain the same server. */
function serverVersion(version: string): string {
  return /\(Server ([^,)\s]+)/.exec(version)?.[1] ?? version.trim();
}

/**
 * Moves the state of another server version aside, because the development server never migrates its file. Open runs and
 * their history are lost with it; schedules are created again from the declared collectors.
 */
export async function moveOtherVersionAside(dir: string, cli: string, clock: Clock, log: Log): Promise<void> {
  const current = serverVersion((await temporalVersion(cli)) ?? 'unknown');
  const written = await readFile(join(dir, VERSION_FILE), 'utf8').catch(() => undefined);
  const previous = written === undefined ? current : written.trim();
  if (previous !== current) {
    const suffix = `${previous}-${new Date(clock.now()).toISOString().replaceAll(/[^0-9]/g, '')}`;
    for (const name of await readdir(dir)) {
      if (![DB_FILE, `${DB_FILE}-wal`, `${DB_FILE}-shm`].includes(name)) continue;
      await rename(join(dir, name), join(dir, name.replace(DB_FILE, `${DB_FILE}.${suffix}`)));
    }
    log.warn(
      { previous, current, movedTo: join(dir, `${DB_FILE}.${suffix}`) },
      'the Temporal server has another version: its old state was moved aside, and schedules are created again',
    );
  }
  await writeFile(join(dir, VERSION_FILE), `${current}\n`);
}
