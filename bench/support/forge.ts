import { join } from 'node:path';
import { makeTemplate, onCopy } from './databases.ts';
import { benchClock, benchEngine } from './engine.ts';
import { type MeasuredRun, measureRun } from './measure-run.ts';
import type { Path } from './paths.ts';
import type { BenchServers, BenchSimulator } from './servers.ts';
import { measureYardstick, type Yardstick } from './yardstick.ts';

export const FORGE = 10_000_002;
/** The Forge as it was counted in 2026. */
export const ORDERS = 418_148;

/** Of the rows, those that change from one set to the next in the case "2 % changed". */
const CHURN = 0.02;

/** What a page is cached, and a breath. */
const CACHE = 301_000;

/** Simulated latency of an answer, in milliseconds. */
export const LATENCY = '50';

export const CASES = ['first load', 'unchanged', 'unchanged, all ETags invalid', '2 % changed'] as const;
export type Case = (typeof CASES)[number];

export interface ForgeRound {
  readonly yardstick: Yardstick;
  readonly paths: Readonly<Record<string, Readonly<Record<Case, MeasuredRun>>>>;
}

/** Rounds of the yardstick and, in turn, of every path, each on a database of its own. */
export async function measureForge(
  servers: BenchServers,
  paths: readonly Path[],
  rounds: number,
): Promise<ForgeRound[]> {
  const simulator = await servers.simulator(
    ...['--orders', String(ORDERS), '--region', String(FORGE), '--universe', 'full'],
    ...['--latency', LATENCY, '--no-limits', '--warm', '--churn', '0'],
  );
  await makeTemplate(servers, 'forge', simulator);
  const done: ForgeRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    const yardstick = await onCopy(servers, 'forge', (url) => measureYardstick(url, simulator.url, FORGE));
    const results: Record<string, Record<Case, MeasuredRun>> = {};
    // In turn: whoever comes first finds a colder machine.
    for (const path of round % 2 === 1 ? paths : paths.toReversed()) {
      results[path.name] = await onCopy(servers, 'forge', (url) =>
        measureCases(servers, simulator, path, url),
      );
      console.log(
        `round ${round} of ${rounds}: yardstick ${yardstick.total.toFixed(2)} s, ${path.name} done`,
      );
    }
    done.push({ yardstick, paths: results });
  }
  await simulator.stop();
  return done;
}

async function measureCases(
  servers: BenchServers,
  simulator: BenchSimulator,
  path: Path,
  databaseUrl: string,
): Promise<Record<Case, MeasuredRun>> {
  const clock = benchClock();
  const engine = benchEngine({
    databaseUrl,
    esiUrl: simulator.url,
    sdeUrl: simulator.sdeUrl,
    dataDir: join(servers.dir, 'sde'),
    clock,
  });
  const { pool } = engine.context.db;
  /** A set later, with `churn` of its rows changed, its pages made beforehand. */
  const nextSnapshot = async (churn: number) => {
    await simulator.control('churn', { share: churn });
    await simulator.control('take-snapshot', { region: FORGE });
    await simulator.control('warm', { region: FORGE });
    clock.advance(CACHE);
  };
  try {
    return await path.use(engine.context, 'market-orders', async (collect) => {
      const measure = () => measureRun(servers, collect, `region/${FORGE}`);
      await servers.admin('CHECKPOINT');
      const first = await measure();
      await nextSnapshot(0);
      const unchanged = await measure();
      await nextSnapshot(0);
      await pool.query(`UPDATE esi_cache SET etag = '"none"'`);
      const invalid = await measure();
      await nextSnapshot(CHURN);
      const changed = await measure();
      return {
        'first load': first,
        unchanged,
        'unchanged, all ETags invalid': invalid,
        '2 % changed': changed,
      };
    });
  } finally {
    await engine.close();
  }
}
