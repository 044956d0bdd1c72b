// Runs workers in a process that a test kills. The argument is JSON: the settings, including the servers' addresses.
import { NativeConnection } from '@temporalio/worker';
import { silentLog } from '../../../src/lib/log.ts';
import { readConfig } from '../../../src/app/settings.ts';
import { createApp } from '../../../src/app/create-app.ts';
import { startWorkers } from '../../../src/temporal/workers.ts';
import { installSilentRuntime } from '../../support/test-app.ts';

const config = readConfig(JSON.parse(process.argv[2] ?? '{}') as NodeJS.ProcessEnv);
const { DATABASE_URL: url = '', TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace } = config;
installSilentRuntime();
const connection = await NativeConnection.connect({ address });
await startWorkers(await createApp(config, url, silentLog), {
  connection,
  namespace,
  esiRateLimit: config.ESI_RATE_LIMIT,
});
process.stdout.write('ready\n');
// The process runs until it is killed or the test that started it ends.
process.stdin.on('end', () => process.exit(1)).resume();
