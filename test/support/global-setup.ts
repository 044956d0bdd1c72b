import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { freePort } from '../../src/embedded/ports.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testTemporalCli } from './temporal-cli.ts';

/** What the teardown has to end; jest runs both in one process but gives them no other way to share. */
export interface TestServers {
  stops: (() => Promise<void>)[];
  watchdog: ChildProcess | undefined;
}

declare global {
  var eveTestServers: TestServers | undefined;
}

/** Data that is thrown away needs no disk; several test files hold pools at the same time. */
const TEST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
};

/** Linux's folder in memory. */
const SHARED_MEMORY = '/dev/shm';

/** The servers of a whole test run need less than 1 GB; containers often have 64 MB of shared memory only. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/**
 * Where the servers keep their files: in memory if there is room. To copy a database means to create 300 files, which
 * took 200 ms on the disk where it took 20 ms in memory.
 */
async function fastFolder(): Promise<string> {
  const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize >= ENOUGH_BYTES ? SHARED_MEMORY : tmpdir();
}

/** A child that ends the servers and removes their folder when this process is gone, however it went. */
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
// jest asks for a default export here.
// oxlint-disable-next-line import/no-default-export
export default async function globalSetup({ rootDir }: { rootDir: string }): Promise<void> {
  const needPostgres = !process.env['EVE_TEST_DATABASE_URL'];
  const needTemporal = !process.env['EVE_TEST_TEMPORAL_ADDRESS'];
  if (!needPostgres && !needTemporal) return;
  const dir = await mkdtemp(join(await fastFolder(), 'eve-test-'));
  await chmod(dir, 0o711); // As root PostgreSQL runs as another user, who has to pass.
  process.env['EVE_TEST_TMP'] = dir; // What tests start below it ends with the run, however that ends.
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
