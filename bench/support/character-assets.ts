import { measureAssetYardstick } from './asset-yardstick.ts';
import { ASSETS, CHURN, logInDirector, nextAssets, ownerEngine, targetOf } from './asset-owner.ts';
import { onCopy } from './databases.ts';
import { benchClock } from './engine.ts';
import { LATENCY } from './forge.ts';
import { type MeasuredRun, measureRun } from './measure-run.ts';
import type { Path } from './paths.ts';
import type { BenchServers, BenchSimulator } from './servers.ts';
import type { Yardstick } from './yardstick.ts';

/** What assets are cached, and a breath. */
const CACHE = 3_601_000;

/** Nobody has logged it in: its run asks nothing and writes nothing, and a worker that has begun loads its workflows. */
const STRANGER = 'character/90009999';

export const CASES = ['first load', 'unchanged', 'unchanged, all ETags invalid', '1 % changed'] as const;
export type Case = (typeof CASES)[number];

export interface AssetRound {
  readonly yardstick: Yardstick;
  readonly paths: Readonly<Record<string, Readonly<Record<Case, MeasuredRun>>>>;
}

/** Rounds of the yardstick and, in turn, of every path, each on a database of its own. */
export async function measureCharacter(
  servers: BenchServers,
  template: string,
  paths: readonly Path[],
  rounds: number,
): Promise<AssetRound[]> {
  const simulator = await servers.simulator(
    ...['--characters', '1', '--char-assets', String(ASSETS), '--universe', 'full'],
    ...['--latency', LATENCY, '--no-limits'],
  );
  const done: AssetRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    await nextAssets(simulator, 'character', 0);
    const yardstick = await onCopy(servers, template, (url) => yardstickOn(servers, simulator, url));
    const results: Record<string, Record<Case, MeasuredRun>> = {};
    // In turn: whoever comes first finds a colder machine.
    for (const path of round % 2 === 1 ? paths : paths.toReversed()) {
      results[path.name] = await onCopy(servers, template, (url) =>
        measureCases(servers, simulator, path, url),
      );
      const y = yardstick.total.toFixed(2);
      console.log(`round ${round} of ${rounds}: yardstick ${y} s, ${path.name} done`);
    }
    done.push({ yardstick, paths: results });
  }
  await simulator.stop();
  return done;
}

async function yardstickOn(servers: BenchServers, simulator: BenchSimulator, databaseUrl: string) {
  const engine = ownerEngine(servers, simulator, databaseUrl, benchClock());
  try {
    return await measureAssetYardstick(engine.context.db, databaseUrl, simulator);
  } finally {
    await engine.close();
  }
}

async function measureCases(
  servers: BenchServers,
  simulator: BenchSimulator,
  path: Path,
  databaseUrl: string,
): Promise<Record<Case, MeasuredRun>> {
  const clock = benchClock();
  const engine = ownerEngine(servers, simulator, databaseUrl, clock);
  /** An hour later, with a fresh login: one in the hour renews its token, which is no work of a set's. */
  const nextSnapshot = async (churn: number) => {
    await nextAssets(simulator, 'character', churn);
    clock.advance(CACHE);
    await logInDirector(engine.context, simulator.control);
  };
  try {
    return await path.use(engine.context, 'assets', async (collect) => {
      const measure = () => measureRun(servers, collect, targetOf('character'));
      await collect(STRANGER);
      await logInDirector(engine.context, simulator.control);
      await servers.admin('CHECKPOINT');
      const first = await measure();
      await nextSnapshot(0);
      const unchanged = await measure();
      await nextSnapshot(0);
      await engine.context.db.pool.query(`UPDATE esi_cache SET etag = '"none"'`);
      const invalid = await measure();
      await nextSnapshot(CHURN);
      const changed = await measure();
      return {
        'first load': first,
        unchanged,
        'unchanged, all ETags invalid': invalid,
        '1 % changed': changed,
      };
    });
  } finally {
    await engine.close();
  }
}
