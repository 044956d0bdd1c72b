import { join } from 'node:path';
import { benchClock, benchEngine } from './bench-engine.ts';
import type { BenchServers, BenchSimulator } from './bench-servers.ts';
import { makeTemplate } from './databases.ts';
import { LATENCY_MS, measureCases, measureRounds, type Round } from './measure-rounds.ts';
import type { Path } from './run-paths.ts';
import { measureYardstick } from './yardstick.ts';

export const FORGE = 10_000_002;

/** The orders of The Forge as counted in 2026. */
export const ORDERS = 418_148;

/** The share of the rows that changes in the case "changed". */
export const ORDER_CHURN = 0.02;

/** More than the cache time of a page. */
const CACHE_MS = 301_000;

/** The options of a simulator with The Forge alone. */
export const FORGE_SIMULATOR = {
  orders: ORDERS,
  region: FORGE,
  latency: LATENCY_MS,
  'no-limits': true,
  warm: true,
} as const;

/** Measures the orders of The Forge against the yardstick. */
export async function measureForge(
  servers: BenchServers,
  paths: readonly Path[],
  rounds: number,
): Promise<Round[]> {
  const simulator = await servers.simulator({ ...FORGE_SIMULATOR, universe: 'full', churn: 0 });
  await makeTemplate(servers, 'forge', simulator);
  const done = await measureRounds(servers, {
    template: 'forge',
    paths,
    rounds,
    measureYardstick: (url) => measureYardstick(url, simulator.url, FORGE),
    measurePath: (path, url) => measurePath(servers, simulator, path, url),
  });
  await simulator.stop();
  return done;
}

async function measurePath(
  servers: BenchServers,
  simulator: BenchSimulator,
  path: Path,
  databaseUrl: string,
) {
  const clock = benchClock();
  const engine = benchEngine({
    databaseUrl,
    esiUrl: simulator.url,
    sdeUrl: simulator.sdeUrl,
    dataDir: join(servers.dir, 'sde'),
    clock,
  });
  /** Takes a snapshot and packs its pages in advance, because that is not the work of the product. */
  const nextSnapshot = async (churn: number) => {
    await simulator.control('churn', { share: churn });
    await simulator.control('take-snapshot', { region: FORGE });
    await simulator.control('warm', { region: FORGE });
    clock.advance(CACHE_MS);
  };
  const { pool } = engine.context.db;
  try {
    return await path.use(engine.context, 'market-orders', (collect) =>
      measureCases(servers, collect, {
        pool,
        target: `region/${FORGE}`,
        churn: ORDER_CHURN,
        nextSnapshot,
      }),
    );
  } finally {
    await engine.close();
  }
}
