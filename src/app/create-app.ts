import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import path from 'node:path';
import { Throttle } from '../esi/limits/throttle.ts';
import { EsiClient } from '../esi/esi-client.ts';
import { SharedRateLimiter } from '../esi/limits/rate-limiter.ts';
import { createSdeClient } from '../esi/sde-client.ts';
import type { EngineSettings, EngineContext } from '../engine/engine-context.ts';
import { type Clock, parseDuration, systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import type { ScheduleSettings } from '../temporal/schedules/plan-schedules.ts';
import { createPauseReader } from '../store/limits/pause.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { postgresRateLimitStore } from '../store/limits/rate-limit-store.ts';
import { createStricterReader } from '../store/limits/esi-limits.ts';
import type { Retention } from '../store/maintenance.ts';
import { createCipher } from '../secrets/cipher.ts';
import { loadKeys } from '../secrets/encryption-keys.ts';
import { createSsoClient, type SsoClient } from '../sso/sso-client.ts';
import { addBudgetMetrics } from './rate-limit-metrics.ts';
import { type Config, isLoopback } from './settings.ts';

/** All parts of a process, joined. */
export interface App extends EngineContext {
  readonly esi: EsiClient;
  close(): Promise<void>;
}

/**
 * Builds the parts from the settings. Nothing is connected or asked yet. Throws AppError BAD_KEY when the key of the
 * tokens can be neither read nor made.
 */
export async function createApp(config: Config, databaseUrl: string, log: Log): Promise<App> {
  const cipher = createCipher(
    await loadKeys({ setting: config.TOKEN_ENCRYPTION_KEY, dataDir: config.DATA_DIR }),
  );
  const sso = createSso(config, log);
  const metrics = createMetrics();
  const clock = systemClock;
  const db = openDatabase({
    url: databaseUrl,
    maxConnections: config.DATABASE_MAX_CONNECTIONS,
    minConnections: config.DATABASE_MIN_CONNECTIONS,
    log,
    observe: metrics.query,
  });
  addBudgetMetrics(metrics.registry, db);
  const budget = makeBudget(config, db, clock, log);
  const esi = new EsiClient({
    baseUrl: config.ESI_BASE_URL,
    userAgent: config.ESI_USER_AGENT,
    compatibilityDate: config.ESI_COMPATIBILITY_DATE,
    budget,
    clock,
    log,
    paused: createPauseReader(db, clock),
    downtime: !isLoopback(new URL(config.ESI_BASE_URL).hostname), // a simulated ESI has none
    observe: metrics.request,
  });
  const sde = createSdeClient({
    baseUrl: config.SDE_BASE_URL,
    userAgent: config.ESI_USER_AGENT,
    dir: path.join(config.DATA_DIR, 'downloads'),
    clock,
  });
  return {
    db,
    esi,
    sde,
    clock,
    log,
    metrics,
    settings: engineSettings(config),
    cipher,
    sso,
    async close() {
      await Promise.allSettled([esi.close(), sde.close(), sso?.close()]);
      await budget.close();
      await db.close();
    },
  };
}

/** Without an application nobody can log in. */
function createSso(config: Config, log: Log): SsoClient | undefined {
  if (config.ESI_CLIENT_ID === undefined) return undefined;
  return createSsoClient({
    baseUrl: config.SSO_BASE_URL,
    clientId: config.ESI_CLIENT_ID,
    clientSecret: config.ESI_CLIENT_SECRET,
    callbackUrl: config.ESI_CALLBACK_URL,
    userAgent: config.ESI_USER_AGENT,
    clock: systemClock,
    log,
  });
}

function engineSettings(config: Config): EngineSettings {
  return {
    marketRegions: config.MARKET_REGIONS,
    universeSource: config.UNIVERSE_SOURCE,
    esiRateLimit: config.ESI_RATE_LIMIT,
    compatibilityDate: config.ESI_COMPATIBILITY_DATE,
    retention: retention(config),
  };
}

/** The ledger in the database for all workers, and a pacer for this one. */
function makeBudget(config: Config, db: Database, clock: Clock, log: Log): SharedRateLimiter {
  const ceiling = { perMinute: config.ESI_RATE_LIMIT, burst: config.ESI_BURST_LIMIT };
  return new SharedRateLimiter({
    store: postgresRateLimitStore(db),
    // Random besides: in a container every start has the same host and pid, and what the last one leased is not ours.
    worker: `${hostname()}:${process.pid}:${randomUUID().slice(0, 4)}`,
    ceiling,
    pacer: new Throttle(ceiling),
    stricter: createStricterReader(db, clock),
    clock,
    log,
  });
}

/** `0` keeps for ever. */
const keep = (duration: string) => (duration === '0' ? undefined : parseDuration(duration));

function retention(config: Config): Retention {
  return {
    orderChanges: keep(config.RETENTION_MARKET_ORDER_CHANGES),
    typeSeries: keep(config.RETENTION_MARKET_TYPE_SERIES),
    prices: keep(config.RETENTION_MARKET_PRICES),
    runs: keep(config.RETENTION_COLLECTION_RUNS),
    rejected: keep(config.RETENTION_REJECTED_ROWS),
  };
}

/** What the schedules depend on. */
export function scheduleSettings(config: Config): ScheduleSettings {
  const { COLLECT_UNIVERSE_DATA, COLLECT_MARKET_ORDERS, COLLECT_MARKET_HISTORY, COLLECT_INDUSTRY_DATA } =
    config;
  const { MARKET_ORDERS_INTERVAL, UNIVERSE_UPDATE_CRON, MARKET_HISTORY_CRON, INDUSTRY_UPDATE_CRON } = config;
  return {
    enabled: { COLLECT_UNIVERSE_DATA, COLLECT_MARKET_ORDERS, COLLECT_MARKET_HISTORY, COLLECT_INDUSTRY_DATA },
    intervals: { MARKET_ORDERS_INTERVAL },
    crons: { UNIVERSE_UPDATE_CRON, MARKET_HISTORY_CRON, INDUSTRY_UPDATE_CRON },
    owners: config.ESI_CLIENT_ID !== undefined,
  };
}
