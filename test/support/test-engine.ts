import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EsiClient, type EsiClientOptions } from '../../src/esi/esi-client.ts';
import { createSdeClient } from '../../src/esi/sde-client.ts';
import { SnapshotCache } from '../../src/engine/compare/snapshot-cache.ts';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import type { EngineSettings, EngineContext } from '../../src/engine/engine-context.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createAnswerReader } from '../../src/store/esi-answers.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import { testRateLimiter } from './test-rate-limiter.ts';
import { type TestClock, testClock } from './test-clock.ts';
import { type TestDatabase, testDatabase } from './test-database.ts';
import { testSecrets } from './test-secrets.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

export interface TestEngine {
  readonly context: EngineContext;
  readonly sim: Simulator;
  readonly db: TestDatabase;
  readonly clock: TestClock;
  /** The folder for the archive of the static data export. */
  readonly dataDir: string;
  /** Runs a collector for one target, without Temporal. */
  collect(collector: string, target?: string): Promise<RunSummary>;
  /** Moves the clock past the cache time, so that ESI has a newer snapshot. */
  nextSnapshot(): void;
  /** A new context on the same database, as after a restart of the process. */
  restart(options?: Partial<EsiClientOptions>): EngineContext;
  close(): Promise<void>;
}

/** The engine with a database and a simulated ESI of its own, on a clock that the test moves. */
export async function testEngine(
  options: SimulatorOptions & {
    settings?: Partial<EngineSettings>;
    client?: Partial<EsiClientOptions>;
    /** Memory for published rows. */
    snapshotCacheBytes?: number;
  } = {},
): Promise<TestEngine> {
  const clock = testClock();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'eve-engine-'));
  const sim = await startSimulator({ clock, ...options });
  const db = await testDatabase(new Date(clock.now()));
  const clients: { close(): Promise<void> }[] = [];
  const createContext = (overrides: Partial<EsiClientOptions> = {}): EngineContext => {
    const esi = new EsiClient({
      baseUrl: sim.url,
      userAgent: TEST_USER_AGENT,
      rateLimiter: testRateLimiter(clock),
      clock,
      log: silentLog,
      answers: createAnswerReader(db, clock),
      ...options.client,
      ...overrides,
    });
    const sde = createSdeClient({ baseUrl: sim.sdeUrl, userAgent: TEST_USER_AGENT, dir: dataDir, clock });
    clients.push(esi, sde);
    const settings = {
      marketRegions: [10000002] as number[] | 'all',
      universeSource: 'sde' as const,
      esiRateLimit: 1_000_000,
      compatibilityDate: '2026-08-18',
      retention: {
        orderChanges: undefined,
        typeSeries: undefined,
        prices: undefined,
        runs: undefined,
        rejected: undefined,
      },
      ...options.settings,
    };
    const { cipher, sso } = testSecrets(sim, clock);
    if (sso) clients.push(sso);
    const snapshots = new SnapshotCache({ db, clock, maxBytes: options.snapshotCacheBytes ?? 1e8 });
    return {
      esi,
      sde,
      db,
      clock,
      log: silentLog,
      metrics: createMetrics(),
      snapshots,
      settings,
      cipher,
      sso,
    };
  };
  const context = createContext();
  return {
    context,
    sim,
    db,
    clock,
    dataDir,
    collect: (collector, target = '') => collectTarget(context, { collector, target }),
    nextSnapshot: () => clock.advance(((options.cacheSeconds ?? 300) + 1) * 1_000),
    restart: createContext,
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await sim.close();
      await db.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
