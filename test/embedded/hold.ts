// A process that takes what the embedded parts give, says so, and holds it until it is killed.
// Arguments: what to hold (`postgres`, `temporal` or `lock`), a folder, and for Temporal the CLI.
import { lockDataDir } from '../../src/embedded/lock.ts';
import { freePort } from '../../src/embedded/ports.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { silentLog } from '../../src/lib/log.ts';

const [what, dir = '', cliPath = ''] = process.argv.slice(2);

async function hold(): Promise<object> {
  if (what === 'lock') return lockDataDir(dir);
  if (what === 'postgres') return startEmbeddedPostgres({ dir, log: silentLog, noSync: true });
  // Not the usual port 7233: another server could take it between the kill and the next start.
  const port = await freePort(undefined);
  return startEmbeddedTemporal({ dir, cliPath, port, namespace: 'default', log: silentLog });
}

process.stdout.write(`${JSON.stringify(await hold())}\n`);
// Until it is killed, or the test that started it is gone.
process.stdin.on('end', () => process.exit(1)).resume();
