import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EsiClient, type EsiClientOptions } from '../../src/esi/esi-client.ts';
import { createSdeClient } from '../../src/esi/sde-client.ts';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import type { EngineSettings, EngineContext } from '../../src/engine/engine-context.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import { testRateLimiter } from './rate-limiter.ts';
import { type TestClock, testClock } from './clock.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { testSecrets } from './secrets.ts';

export const AGENT = 'eve-collector-test (test@example.com)';

export interface TestEngine {
  readonly context: EngineContext;
  readonly sim: Simulator;
  readonly db: TestDatabase;
  readonly clock: TestClock;
  /** Where the archive of the SDE is kept. */
  readonly dataDir: string;
  /** One run without Temporal. */
  collect(collector: string, target?: string): Promise<RunSummary>;
  /** Moves the clock past the cache, so that ESI has a newer set. */
  nextSet(): void;
  /** Another client on the same database, as after a restart. */
  restart(options?: Partial<EsiClientOptions>): EngineContext;
  close(): Promise<void>;
}

/** The engine on a database of its own and the simulated ESI, with time in our hands. */
export async function testEngine(
  options: SimulatorOptions & { settings?: Partial<EngineSettings>; client?: Partial<EsiClientOptions> } = {},
): Promise<TestEngine> {
  const clock = testClock();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'eve-engine-'));
  const sim = await startSimulator({ clock, ...options });
  const db = await testDatabase(new Date(clock.now()));
  const clients: { close(): Promise<void> }[] = [];
  const makePorts = (more: Partial<EsiClientOptions> = {}): EngineContext => {
    const esi = new EsiClient({
      baseUrl: sim.url,
      userAgent: AGENT,
      rateLimiter: testRateLimiter(clock),
      clock,
      log: silentLog,
      ...options.client,
      ...more,
    });
    const sde = createSdeClient({ baseUrl: sim.sdeUrl, userAgent: AGENT, dir: dataDir, clock });
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
    return { esi, sde, db, clock, log: silentLog, metrics: createMetrics(), settings, cipher, sso };
  };
  const context = makePorts();
  return {
    context,
    sim,
    db,
    clock,
    dataDir,
    collect: (collector, target = '') => collectTarget(context, { collector, target }),
    nextSet: () => clock.advance(((options.cacheSeconds ?? 300) + 1) * 1_000),
    restart: makePorts,
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await sim.close();
      await db.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
