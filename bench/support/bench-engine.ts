import { randomBytes } from 'node:crypto';
import { EsiClient } from '../../src/esi/esi-client.ts';
import { createSdeClient } from '../../src/esi/sde-client.ts';
import { SnapshotCache } from '../../src/engine/compare/snapshot-cache.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { unlimited } from './unlimited-rate-limiter.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { openDatabase } from '../../src/store/database.ts';
import { createCipher, KEY_BYTES } from '../../src/secrets/cipher.ts';
import { createSsoClient } from '../../src/sso/sso-client.ts';

export const BENCH_USER_AGENT = 'eve-collector-bench (bench@example.com)';

/** Requests per minute that no run reaches. */
export const UNLIMITED = 1_000_000;

/** The connections of a worker's pool in the product. */
const CONNECTIONS = 25;

/** The default of SNAPSHOT_CACHE_MB. */
const CACHE_BYTES = 128e6;

const DAY = 86_400_000;
const AFTERNOON = 14 * 3_600_000;

export interface BenchClock extends Clock {
  /** Moves the clock forward, so that what was read expires. */
  advance(ms: number): void;
}

/** Real time, shifted to 14:00 UTC: at 11:00 the client would wait for EVE's daily downtime. */
export function benchClock(): BenchClock {
  let offset = AFTERNOON - (Date.now() % DAY);
  return {
    now: () => Date.now() + offset,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
    advance: (ms) => (offset += ms),
  };
}

export interface BenchEngine {
  readonly context: EngineContext;
  close(): Promise<void>;
}

export interface BenchEngineOptions {
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly sdeUrl: string;
  /** The simulated SSO. Without it no owner's data can be read. */
  readonly ssoUrl?: string;
  readonly dataDir: string;
  readonly clock?: Clock;
  /** Default: all. */
  readonly regions?: readonly number[];
}

/** A client of the simulated SSO. */
function createSso(baseUrl: string | undefined, clock: Clock) {
  if (baseUrl === undefined) return undefined;
  return createSsoClient({
    clientId: 'simulated-client',
    clientSecret: 'simulated-secret',
    callbackUrl: 'http://localhost:8080/callback',
    baseUrl,
    userAgent: BENCH_USER_AGENT,
    clock,
    log: silentLog,
  });
}

/** The engine as the product builds it, without a rate limiter. */
export function benchEngine(options: BenchEngineOptions): BenchEngine {
  const clock = options.clock ?? benchClock();
  const metrics = createMetrics();
  const db = openDatabase({
    url: options.databaseUrl,
    maxConnections: CONNECTIONS,
    minConnections: 0,
    log: silentLog,
  });
  const esi = new EsiClient({
    baseUrl: options.esiUrl,
    userAgent: BENCH_USER_AGENT,
    rateLimiter: unlimited,
    clock,
    log: silentLog,
    observe: metrics.request,
  });
  const sde = createSdeClient({
    baseUrl: options.sdeUrl,
    userAgent: BENCH_USER_AGENT,
    dir: options.dataDir,
    clock,
  });
  const cipher = createCipher([randomBytes(KEY_BYTES)]);
  const sso = createSso(options.ssoUrl, clock);
  const snapshots = new SnapshotCache({ db, clock, maxBytes: CACHE_BYTES });
  const settings = {
    marketRegions: options.regions ?? ('all' as const),
    universeSource: 'sde' as const,
    esiRateLimit: UNLIMITED,
    compatibilityDate: '2026-08-18',
    retention: {
      orderChanges: undefined,
      typeSeries: undefined,
      prices: undefined,
      runs: undefined,
      rejected: undefined,
    },
  };
  return {
    context: { esi, sde, db, clock, log: silentLog, metrics, snapshots, settings, cipher, sso },
    async close() {
      await Promise.all([esi.close(), sde.close()]);
      await db.close();
    },
  };
}
