import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type TestHouse, testHouse, testSettings } from '../support/house.ts';
import { eventually } from '../support/temporal.ts';

const REGION = 10000002;
const ORDERS = 64_500;

export interface KilledRun {
  readonly world: TestHouse;
  /** Pages that were staged when the worker was killed. */
  readonly staged: readonly number[];
  /** How often each page was asked for, over both workers. */
  readonly asked: ReadonlyMap<number, number>;
  readonly result: Record<string, unknown>;
  readonly book: number;
}

async function startChild(world: TestHouse) {
  const loader = pathToFileURL(path.join(import.meta.dirname, '..', 'support', 'ts-loader.mjs')).href;
  const settings = {
    ...testSettings(world.sim, world.config.DATA_DIR),
    DATABASE_URL: world.db.url,
    TEMPORAL_ADDRESS: world.temporal.address,
    TEMPORAL_NAMESPACE: world.temporal.namespace,
  };
  const script = path.join(import.meta.dirname, 'worker.ts');
  const args = ['--no-warnings', '--import', loader, script, JSON.stringify(settings)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

const stagedPages = async ({ db }: TestHouse) =>
  (await db.rows<{ page: number }>('SELECT page FROM stage.pages ORDER BY page')).map(({ page }) => page);

/**
 * A run whose worker is killed (kill -9) while it reads pages; another worker, started at once, has to finish it. The
 * second worker hears of it when the heartbeat is overdue, so this takes most of a minute: run it beside other tests.
 */
export async function killInTheMiddle(): Promise<KilledRun> {
  const world = await testHouse({ regions: { [REGION]: ORDERS }, enforceLimits: false });
  const child = await startChild(world);
  try {
    await world.collect({ collector: 'universe' });
    world.sim.resetCounters();
    world.sim.faults.latency(120, { route: '/markets/' }); // 20 connections, 65 pages: four rounds
    const handle = await world.start({ collector: 'market-orders', target: `region/${REGION}` });
    await eventually('some pages', async () => (await stagedPages(world)).length > 5);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    world.sim.faults.clear();
    const staged = await eventually('an end of what the database had begun', async () => {
      const before = await stagedPages(world);
      await new Promise((next) => setTimeout(next, 200));
      const after = await stagedPages(world);
      return before.length === after.length && after;
    });
    await world.work();
    const result = (await handle.result()) as Record<string, unknown>;
    const asked = new Map<number, number>();
    for (const { path: url, route } of world.sim.requests()) {
      if (!route.startsWith('/markets/')) continue;
      const page = Number(new URL(url, world.sim.url).searchParams.get('page') ?? 1);
      asked.set(page, (asked.get(page) ?? 0) + 1);
    }
    const rows = await world.db.rows<{ n: number }>('SELECT count(*) AS n FROM market_orders_public');
    return { world, staged, asked, result, book: rows[0]!.n };
  } finally {
    child.kill('SIGKILL');
    await world.close();
  }
}
