import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/ports.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testTemporalCli } from './temporal-cli.ts';

/** The servers that the teardown stops. jest runs both files in one process but has no other way to share a value. */
export interface TestServers {
  stops: (() => Promise<void>)[];
  watchdog: ChildProcess | undefined;
}

declare global {
  var eveTestServers: TestServers | undefined;
}

/** The data is discarded after the run, so nothing is synced to disk. Several test files hold pools at the same time. */
const TEST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
};

/** Linux's file system in memory. */
const SHARED_MEMORY = '/dev/shm';

/** The servers of a whole test run need less than 1 GB; containers often have 64 MB of shared memory only. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/**
 * The folder for the servers' files: in memory if there is room. Copying a database creates 300 files, which took
 * 200 ms on the disk and 20 ms in memory.
 */
async function fastestFolder(): Promise<string> {
  const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize >= ENOUGH_BYTES ? SHARED_MEMORY : tmpdir();
}

/** Starts a child that stops the servers and removes their folder when this process ends, even when it is killed. */
function startWatchdog(root: string, dir: string): ChildProcess {
  const script = join(root, 'test', 'support', 'watchdog.mjs');
  const watchdog = spawn(process.execPath, [script, dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?: () => void }).unref?.();
  return watchdog;
}

/** Starts one PostgreSQL and one Temporal server for the whole run, unless the environment names others. */
// jest requires a default export here.
// oxlint-disable-next-line import/no-default-export
export default async function globalSetup({ rootDir }: { rootDir: string }): Promise<void> {
  const needPostgres = !process.env['EVE_TEST_DATABASE_URL'];
  const needTemporal = !process.env['EVE_TEST_TEMPORAL_ADDRESS'];
  if (!needPostgres && !needTemporal) return;
  const dir = await mkdtemp(join(await fastestFolder(), 'eve-test-'));
  await chmod(dir, 0o711); // Under root, PostgreSQL runs as another user, who must be able to enter the folder.
  process.env['EVE_TEST_TMP'] = dir; // The watchdog stops every server that a test starts below this folder.
  const servers: TestServers = { stops: [], watchdog: startWatchdog(rootDir, dir) };
  globalThis.eveTestServers = servers;

  if (needPostgres) {
    const options = { dir: join(dir, 'postgres'), log: silentLog, settings: TEST_SETTINGS, noSync: true };
    const postgres = await startEmbeddedPostgres(options);
    servers.stops.push(() => postgres.stop());
    process.env['EVE_TEST_DATABASE_URL'] = postgres.url.replace(/\/eve$/, '/postgres');
  }
  if (needTemporal) {
    const cliPath = await testTemporalCli(rootDir);
    const temporal = await startEmbeddedTemporal({
      dir: join(dir, 'temporal'),
      namespace: 'default',
      cliPath,
      port: await freePort(),
      uiPort: await freePort(),
      inMemory: true,
      log: silentLog,
    });
    servers.stops.push(() => temporal.stop());
    process.env['EVE_TEST_TEMPORAL_ADDRESS'] = temporal.address;
  }
}
