import { createApp } from '../../app/create-app.ts';
import { temporalOptions } from '../../app/derived-settings.ts';
import { findRunning } from '../../app/endpoints.ts';
import { serveMetrics } from '../../app/serve-metrics.ts';
import { checkRegions } from '../../engine/list-targets.ts';
import { assertMigrated } from '../../store/migrate.ts';
import { connectWorker } from '../../temporal/connect-worker.ts';
import { installTemporalLog } from '../../temporal/temporal-log.ts';
import { startWorkers } from '../../temporal/workers.ts';
import { loadSettings } from '../load-settings.ts';
import { stopSignal } from '../process-io.ts';

/** Runs workers only, for a running `up` or the servers that the settings name, until Ctrl-C. */
export async function workerCommand(): Promise<void> {
  const signal = stopSignal();
  const { config, log } = loadSettings();
  installTemporalLog(log);
  const running = await findRunning(config);
  await assertMigrated(running.databaseUrl);
  const app = await createApp(config, running.databaseUrl, log);
  await checkRegions(app, config.MARKET_REGIONS);
  const options = temporalOptions(config, running);
  const connection = await connectWorker(options);
  const workers = await startWorkers(app, {
    connection,
    namespace: options.namespace,
    esiRateLimit: config.ESI_RATE_LIMIT,
  });
  // Beside an `up` on the same machine the port is taken; the worker runs without metrics then.
  const metrics = config.METRICS_ENABLED ? await serveMetrics(config, app).catch(() => undefined) : undefined;
  log.info(
    { temporal: options.address, metrics: metrics?.url ?? 'off or port in use' },
    'the worker is running',
  );
  signal.addEventListener('abort', () => void workers.stop(), { once: true });
  if (signal.aborted) void workers.stop();
  try {
    await workers.done;
  } finally {
    await metrics?.close();
    await app.close();
    await connection.close();
  }
}
