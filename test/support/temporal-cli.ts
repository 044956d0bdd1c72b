import { join } from 'node:path';
import { findTemporalCli } from '../../src/embedded/temporal-cli.ts';
import { silentLog } from '../../src/lib/log.ts';

/** The Temporal CLI for tests, in a cache that all runs of this checkout share, because it is 150 MB. */
export function testTemporalCli(root: string): Promise<string> {
  const cacheDir = join(root, 'node_modules', '.cache', 'eve-data-collector');
  const cliPath = process.env['TEMPORAL_CLI_PATH'];
  return findTemporalCli({ ...(cliPath && { cliPath }), cacheDir, log: silentLog });
}
