import { readFile } from 'node:fs/promises';
import type { BenchServers } from './bench-servers.ts';
import { walOf } from './databases.ts';
import { watchTree } from './process-cpu.ts';
import { timed } from './report.ts';
import type { Collect } from './run-paths.ts';

/** The cost and the result of a run. */
export interface MeasuredRun {
  readonly seconds: number;
  /** Seconds of CPU of this process. */
  readonly nodeCpu: number;
  /** Seconds of CPU of all PostgreSQL processes. */
  readonly postgresCpu: number;
  /** Bytes that PostgreSQL has written to files, the checkpoint after the run included. */
  readonly disk: number;
  /** Bytes of write-ahead log. */
  readonly wal: number;
  readonly inserted: number;
  readonly changed: number;
  readonly removed: number;
}

/** The rows that a run wrote or removed. */
export const rowsTouched = ({
  inserted,
  changed,
  removed,
}: Pick<MeasuredRun, 'inserted' | 'changed' | 'removed'>) => inserted + changed + removed;

/** Measures one run of a target between two checkpoints. Throws unless it published or nothing changed. */
export async function measureRun(
  servers: BenchServers,
  collect: Collect,
  target: string,
): Promise<MeasuredRun> {
  const postgres = await watchTree(await postmasterOf(servers));
  try {
    await servers.admin('CHECKPOINT');
    const diskBefore = await bytesWritten(servers);
    const before = await postgres.seconds();
    const cpuBefore = process.cpuUsage();
    const { wal, result } = await walOf(servers, () => timed(() => collect(target)));
    const { user, system } = process.cpuUsage(cpuBefore);
    const postgresCpu = (await postgres.seconds()) - before;
    await servers.admin('CHECKPOINT');
    const disk = (await bytesWritten(servers)) - diskBefore;
    const { outcome, inserted = 0, changed = 0, removed = 0, detail = '' } = result.result;
    if (outcome !== 'published' && outcome !== 'unchanged')
      throw new Error(`a run ended as ${outcome} ${detail}`);
    return {
      seconds: result.seconds,
      nodeCpu: (user + system) / 1e6,
      postgresCpu,
      disk,
      wal,
      inserted,
      changed,
      removed,
    };
  } finally {
    await postgres.stop();
  }
}

/** Milliseconds after which every process of the server has reported what it has written. */
const REPORTED_AFTER = 1_500;

/**
 * Bytes that the server has written to files, as it counts them itself. The kernel's count of a process (/proc/PID/io) is
 * of no use: where it writes large folios, it counts a megabyte for each small piece of the log.
 */
export async function bytesWritten(servers: BenchServers): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, REPORTED_AFTER));
  const [row] = await servers.admin<{ bytes: number }>(
    `SELECT sum(coalesce(write_bytes, 0) + coalesce(extend_bytes, 0))::float8 AS bytes
       FROM pg_stat_io WHERE context <> 'init'`,
  );
  return row!.bytes;
}

/** The process of which all others of the database server are children. */
async function postmasterOf(servers: BenchServers): Promise<number> {
  const [row] = await servers.admin<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const status = await readFile(`/proc/${row!.pid}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)/m.exec(status)![1]);
}
