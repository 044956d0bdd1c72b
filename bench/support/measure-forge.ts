import { join } from 'node:path';
import { marketOrders } from '../../src/collectors/market-orders.ts';
import { snapshotSpec } from '../../src/engine/run/resources.ts';
import { benchClock, benchEngine } from './bench-engine.ts';
import type { BenchServers, BenchSimulator } from './bench-servers.ts';
import { makeTemplate } from './databases.ts';
import { type Case, LATENCY_MS, measureCases, measureRounds, type Round } from './measure-rounds.ts';
import type { Path } from './run-paths.ts';
import { measureRawOrders } from './raw-reading.ts';

export const FORGE = 10_000_002;

const KEY = { collector: marketOrders.name, target: `region/${FORGE}` };

/** The orders of The Forge as counted in 2026. */
export const ORDERS = 418_148;

/** The share of the orders that changes in five minutes, which touches nearly every page. */
export const USUAL_CHURN = 0.0013;

/** The names of two cases, whose difference is the reading of the published rows. */
export const USUAL = '0.13 % changed';
export const RESTARTED = '0.13 % changed, in a new process';

export const ORDER_CASES: readonly Case[] = [
  { name: 'first load' },
  { name: 'unchanged', churn: 0 },
  { name: RESTARTED, churn: USUAL_CHURN, isModified: true, isRestarted: true },
  { name: USUAL, churn: USUAL_CHURN, isModified: true },
  { name: '2 % changed', churn: 0.02, isModified: true },
];

/** More than the cache time of a page. */
export const CACHE_MS = 301_000;

/** The options of a simulator with The Forge alone. */
export const FORGE_SIMULATOR = {
  orders: ORDERS,
  region: FORGE,
  latency: LATENCY_MS,
  'no-limits': true,
  warm: true,
} as const;

/** Measures the orders of The Forge against reading them. */
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
    measureRaw: () => measureRawOrders(simulator.url, [FORGE]),
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
        target: KEY.target,
        cases: ORDER_CASES,
        nextSnapshot,
        forgetRows: () => engine.context.snapshots.forget(snapshotSpec(marketOrders, KEY)),
      }),
    );
  } finally {
    await engine.close();
  }
}
