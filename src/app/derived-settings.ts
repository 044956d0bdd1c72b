import type { EngineSettings } from '../engine/engine-context.ts';
import { parseDuration } from '../lib/duration.ts';
import { isLoopback } from '../lib/loopback.ts';
import type { Log } from '../lib/log.ts';
import type { DatabaseOptions } from '../store/database.ts';
import type { TemporalOptions } from '../temporal/connect.ts';
import type { ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import type { Reachable } from './endpoints.ts';
import type { Config } from './settings.ts';

/** Whether ESI is on this machine, as only a simulated one is: its data is not EVE's, and it has no downtime. */
export const isSimulated = (config: Pick<Config, 'ESI_BASE_URL'>): boolean =>
  isLoopback(new URL(config.ESI_BASE_URL).hostname);

/** How to open the database at `url`. */
export function databaseOptions(config: Config, url: string, log: Log): DatabaseOptions {
  return {
    url,
    maxConnections: config.DATABASE_MAX_CONNECTIONS,
    minConnections: config.DATABASE_MIN_CONNECTIONS,
    log,
  };
}

/** What the engine needs of the settings. */
export function engineSettings(config: Config): EngineSettings {
  return {
    marketRegions: config.MARKET_REGIONS,
    universeSource: config.UNIVERSE_SOURCE,
    esiRateLimit: config.ESI_RATE_LIMIT,
    compatibilityDate: config.ESI_COMPATIBILITY_DATE,
    retention: {
      orderChanges: retention(config.RETENTION_MARKET_ORDER_CHANGES),
      typeSeries: retention(config.RETENTION_MARKET_TYPE_SERIES),
      prices: retention(config.RETENTION_MARKET_PRICES),
      runs: retention(config.RETENTION_COLLECTION_RUNS),
      rejected: retention(config.RETENTION_REJECTED_ROWS),
    },
  };
}

/** Milliseconds; undefined for `0`, which means for ever. */
const retention = (text: string) => (text === '0' ? undefined : parseDuration(text));

/** What the schedules need of the settings. */
export function scheduleSettings(config: Config): ScheduleSettings {
  return {
    enabled: {
      COLLECT_UNIVERSE_DATA: config.COLLECT_UNIVERSE_DATA,
      COLLECT_MARKET_ORDERS: config.COLLECT_MARKET_ORDERS,
      COLLECT_MARKET_HISTORY: config.COLLECT_MARKET_HISTORY,
      COLLECT_INDUSTRY_DATA: config.COLLECT_INDUSTRY_DATA,
    },
    intervals: { MARKET_ORDERS_INTERVAL: config.MARKET_ORDERS_INTERVAL },
    crons: {
      UNIVERSE_UPDATE_CRON: config.UNIVERSE_UPDATE_CRON,
      MARKET_HISTORY_CRON: config.MARKET_HISTORY_CRON,
      INDUSTRY_UPDATE_CRON: config.INDUSTRY_UPDATE_CRON,
    },
    owners: config.ESI_CLIENT_ID !== undefined,
  };
}

/** How to connect to the Temporal server of a running `up`, or to the one that the settings name. */
export function temporalOptions(
  config: Config,
  server: Pick<Reachable, 'temporalAddress' | 'temporalNamespace'>,
): TemporalOptions {
  return {
    address: server.temporalAddress,
    namespace: server.temporalNamespace,
    apiKey: config.TEMPORAL_API_KEY,
    tls: config.TEMPORAL_TLS,
    clientCertPath: config.TEMPORAL_TLS_CLIENT_CERT_PATH,
    clientKeyPath: config.TEMPORAL_TLS_CLIENT_KEY_PATH,
    serverCaCertPath: config.TEMPORAL_TLS_SERVER_CA_CERT_PATH,
    serverName: config.TEMPORAL_TLS_SERVER_NAME,
  };
}
