import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import path from 'node:path';
import { SnapshotCache } from '../engine/compare/snapshot-cache.ts';
import type { EngineContext } from '../engine/engine-context.ts';
import { EsiClient } from '../esi/esi-client.ts';
import { SharedRateLimiter } from '../esi/limits/rate-limiter.ts';
import { createSdeClient } from '../esi/sde-client.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createCipher } from '../secrets/cipher.ts';
import { loadKeys } from '../secrets/encryption-keys.ts';
import { createSsoClient, type SsoClient } from '../sso/sso-client.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { createAnswerReader } from '../store/esi-answers.ts';
import { createStricterReader } from '../store/esi-limits.ts';
import { createPauseReader } from '../store/pause.ts';
import { postgresBucketStore } from '../store/limits/rate-limit-store.ts';
import { databaseOptions, engineSettings, isSimulated } from './derived-settings.ts';
import { addJournalGapMetrics } from './journal-gap-metrics.ts';
import { addRateLimitMetrics } from './rate-limit-metrics.ts';
import { addUnknownFieldMetrics } from './unknown-field-metrics.ts';
import type { Config } from './settings.ts';

/** All parts of a process, connected to each other. */
export interface App extends EngineContext {
  readonly esi: EsiClient;
  close(): Promise<void>;
}

/**
 * Creates the parts from the settings. No connection is opened and no request sent yet. Throws AppError BAD_KEY when the
 * encryption key can be neither read nor created.
 */
export async function createApp(config: Config, databaseUrl: string, log: Log): Promise<App> {
  const cipher = createCipher(
    await loadKeys({ setting: config.TOKEN_ENCRYPTION_KEY, dataDir: config.DATA_DIR }),
  );
  const sso = createSso(config, log);
  const metrics = createMetrics();
  const clock = systemClock;
  const db = openDatabase({ ...databaseOptions(config, databaseUrl, log), observe: metrics.query });
  addRateLimitMetrics(metrics.registry, db);
  addUnknownFieldMetrics(metrics.registry, db);
  addJournalGapMetrics(metrics.registry, db);
  const rateLimiter = createRateLimiter(config, db, clock, log);
  const esi = new EsiClient({
    baseUrl: config.ESI_BASE_URL,
    userAgent: config.ESI_USER_AGENT,
    compatibilityDate: config.ESI_COMPATIBILITY_DATE,
    rateLimiter,
    clock,
    log,
    paused: createPauseReader(db, clock),
    answers: createAnswerReader(db, clock),
    downtime: !isSimulated(config),
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
    snapshots: new SnapshotCache({ db, clock, maxBytes: config.SNAPSHOT_CACHE_MB * 1e6 }),
    settings: engineSettings(config),
    cipher,
    sso,
    async close() {
      await Promise.allSettled([esi.close(), sde.close(), sso?.close()]);
      await rateLimiter.close();
      await db.close();
    },
  };
}

/** Undefined without an SSO application: nobody can log in. */
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

/** Transactions of the rate limiter. A request waits 10 ms longer at most, and a read at full speed shares them. */
const TRANSACTIONS_PER_SECOND = 100;

/** Limits in the database, which all workers share. */
function createRateLimiter(config: Config, db: Database, clock: Clock, log: Log): SharedRateLimiter {
  return new SharedRateLimiter({
    store: postgresBucketStore(db),
    // Containers start with the same host name and pid each time; the random part keeps requests of earlier starts apart.
    worker: `${hostname()}:${process.pid}:${randomUUID().slice(0, 4)}`,
    throttle: { perMinute: config.ESI_RATE_LIMIT, burst: config.ESI_BURST_LIMIT },
    transactionsPerSecond: TRANSACTIONS_PER_SECOND,
    stricter: createStricterReader(db, clock),
    clock,
    log,
  });
}
