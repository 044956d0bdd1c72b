import { type Listening, listen } from '../http/listen.ts';
import { createMetricsApp } from '../http/metrics-server.ts';
import type { AccessRules } from '../http/security.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { App } from './create-app.ts';
import { LOOPBACK_NAMES, nameOfHost } from './create-http-sources.ts';
import type { Config } from './settings.ts';

/** Where the metrics listen, for errors about it. */
export const METRICS_SETTINGS = { hostSetting: 'METRICS_HOST', setting: 'METRICS_PORT' };

/** Who may read the metrics: METRICS_TOKEN where it is set, or API_TOKEN, which other machines need in any case. */
export function metricsAccess(config: Config): AccessRules {
  const { METRICS_HOST, METRICS_TOKEN, API_TOKEN } = config;
  const isPublic = !isLoopback(METRICS_HOST);
  const needsToken = isPublic || METRICS_TOKEN !== undefined;
  return {
    tokens: needsToken ? [METRICS_TOKEN, API_TOKEN].filter((token) => token !== undefined) : [],
    hosts: [...LOOPBACK_NAMES, nameOfHost(METRICS_HOST)],
    hostSettings: 'METRICS_HOST',
    isPublic,
  };
}

/** Serves Prometheus metrics at `/metrics` on METRICS_PORT, and nothing else. Throws AppError PORT_TAKEN. */
export function serveMetrics(
  config: Config,
  { metrics: { registry }, clock, log }: Pick<App, 'metrics' | 'clock' | 'log'>,
): Promise<Listening> {
  const app = createMetricsApp({
    access: metricsAccess(config),
    read: () => registry.metrics(),
    contentType: registry.contentType,
    clock,
    log,
  });
  return listen(app.fetch, {
    host: config.METRICS_HOST,
    port: config.METRICS_PORT,
    ...METRICS_SETTINGS,
  });
}
