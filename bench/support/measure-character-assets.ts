import { ASSETS, CHURN, logInDirector, nextAssets, ownerEngine, targetOf } from './asset-owner.ts';
import { measureRawAssets } from './raw-asset-reading.ts';
import { benchClock } from './bench-engine.ts';
import type { BenchServers, BenchSimulator } from './bench-servers.ts';
import { type Case, LATENCY_MS, measureCases, measureRounds, type Round } from './measure-rounds.ts';
import type { Path } from './run-paths.ts';

/** More than the cache time of assets. */
const CACHE_MS = 3_601_000;

export const ASSET_CASES: readonly Case[] = [
  { name: 'first load' },
  { name: 'unchanged', churn: 0 },
  { name: '1 % changed', churn: CHURN },
];

/** Nobody has logged this character in. Its run makes no requests and writes nothing, but a worker loads its workflows. */
const UNKNOWN_CHARACTER = 'character/90009999';

/** Measures the assets of a character against reading them. */
export async function measureCharacterAssets(
  servers: BenchServers,
  template: string,
  paths: readonly Path[],
  rounds: number,
): Promise<Round[]> {
  const simulator = await servers.simulator({
    characters: 1,
    'char-assets': ASSETS,
    universe: 'full',
    latency: LATENCY_MS,
    'no-limits': true,
  });
  const done = await measureRounds(servers, {
    template,
    paths,
    rounds,
    measureRaw: async (url) => {
      await nextAssets(simulator, 'character', 0);
      return measureRaw(servers, simulator, url);
    },
    measurePath: (path, url) => measurePath(servers, simulator, path, url),
  });
  await simulator.stop();
  return done;
}

async function measureRaw(servers: BenchServers, simulator: BenchSimulator, databaseUrl: string) {
  const engine = ownerEngine(servers, simulator, databaseUrl, benchClock());
  try {
    return await measureRawAssets(engine.context.db, simulator);
  } finally {
    await engine.close();
  }
}

async function measurePath(
  servers: BenchServers,
  simulator: BenchSimulator,
  path: Path,
  databaseUrl: string,
) {
  const clock = benchClock();
  const engine = ownerEngine(servers, simulator, databaseUrl, clock);
  /** An hour later with a new login, because the renewal of a token is not part of a snapshot. */
  const nextSnapshot = async (churn: number) => {
    await nextAssets(simulator, 'character', churn);
    clock.advance(CACHE_MS);
    await logInDirector(engine.context, simulator.control);
  };
  try {
    return await path.use(engine.context, 'assets', async (collect) => {
      await collect(UNKNOWN_CHARACTER);
      await logInDirector(engine.context, simulator.control);
      return measureCases(servers, collect, {
        pool: engine.context.db.pool,
        target: targetOf('character'),
        cases: ASSET_CASES,
        nextSnapshot,
        forgetRows: () => undefined,
      });
    });
  } finally {
    await engine.close();
  }
}
