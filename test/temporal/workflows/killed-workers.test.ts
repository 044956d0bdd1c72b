import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { systemClock } from '../../../src/lib/clock.ts';
import { type CollectInput, type TestApp, testApp, testSettings } from '../../support/test-app.ts';
import { type CommandRunner, createCommandRunner, type Running } from '../../support/collector-process.ts';
import { ANNA, logIn, characterTarget } from '../../support/owner-engine.ts';
import { TEST_APPLICATION } from '../../support/test-secrets.ts';
import { eventually } from '../../support/test-temporal.ts';

const [FORGE_ID, ROWS, PAGES] = [10000002, 64_500, 65];

/** A run of 65 pages. */
interface RunToKill {
  readonly input: CollectInput;
  /** The route of the pages. */
  readonly route: string;
  readonly table: string;
}

const RUNS: Record<'orders' | 'assets', RunToKill> = {
  orders: {
    input: { collector: 'market-orders', target: `region/${FORGE_ID}` },
    route: '/markets/{region_id}/orders',
    table: 'market_orders_public',
  },
  assets: {
    input: { collector: 'assets', target: characterTarget(ANNA) },
    route: '/characters/{character_id}/assets',
    table: 'assets',
  },
};

const SETTINGS = {
  ESI_CLIENT_ID: TEST_APPLICATION.clientId,
  ESI_CLIENT_SECRET: TEST_APPLICATION.clientSecret,
};

interface KilledRun {
  /** Pages that were staged when the worker was killed. */
  readonly staged: readonly number[];
  /** The number of requests for each page, by both workers together. */
  readonly requests: ReadonlyMap<number, number>;
  readonly result: Record<string, unknown>;
  /** The rows of the table at the end. */
  readonly rows: number;
}

/** Starts `eve-collector worker` on the servers of the test. */
async function startWorkerProcess(runner: CommandRunner): Promise<Running> {
  const worker = runner.start(['worker']);
  await eventually('the worker', async () => worker.stderr().includes('the worker is running'));
  return worker;
}

const stagedPages = async ({ db }: TestApp, { input }: RunToKill) =>
  (
    await db.rows<{ page: number }>(
      'SELECT page FROM stage.pages JOIN collection_runs USING (run_id) WHERE collector = $1 ORDER BY page',
      [input.collector],
    )
  ).map(({ page }) => page);

/** The staged pages of a run once they do not change any more: what a killed process had sent may still commit. */
const finalStagedPages = (app: TestApp, run: RunToKill) =>
  eventually('an unchanging number of pages', async () => {
    const before = await stagedPages(app, run);
    await new Promise((next) => setTimeout(next, 200));
    const after = await stagedPages(app, run);
    return before.length === after.length && after;
  });

async function describeRun(
  app: TestApp,
  { route, table }: RunToKill,
  staged: readonly number[],
  handle: WorkflowHandle,
): Promise<KilledRun> {
  const result = (await handle.result()) as Record<string, unknown>;
  const requests = new Map<number, number>();
  for (const request of app.sim.requests()) {
    if (request.route !== route) continue;
    const page = Number(new URL(request.path, app.sim.url).searchParams.get('page') ?? 1);
    requests.set(page, (requests.get(page) ?? 0) + 1);
  }
  const [counted] = await app.db.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
  return { staged, requests, result, rows: counted!.n };
}

let app: TestApp;
let runner: CommandRunner;
let killed: Record<keyof typeof RUNS, KilledRun>;

/** Kills the workers of both runs (kill -9) while they read pages. Others complete them when the heartbeat is overdue. */
beforeAll(async () => {
  app = await testApp({
    regions: { [FORGE_ID]: ROWS },
    owners: { characters: [{ id: ANNA, name: 'Anna Testa', assets: ROWS }] },
    settings: SETTINGS,
    enforceLimits: false,
  });
  runner = await createCommandRunner({
    ...testSettings(app.sim, app.config.DATA_DIR),
    ...SETTINGS,
    SSO_BASE_URL: app.sim.ssoUrl,
    DATABASE_URL: app.db.url,
    TEMPORAL_ADDRESS: app.temporal.address,
    TEMPORAL_NAMESPACE: app.temporal.namespace,
  });
  const worker = await startWorkerProcess(runner);
  await app.collect({ collector: 'universe' });
  await logIn({ ...app, clock: systemClock }, ANNA);
  app.sim.resetCounters();
  const { orders, assets } = RUNS;
  for (const { route } of [orders, assets]) app.sim.faults.latency(200, { route }); // 20 connections, 130 pages: seven rounds
  const handles = [await app.start(orders.input), await app.start(assets.input)] as const;
  // Of both together, since the pages of one run may all be read before those of the other one.
  await eventually('some pages', async () => {
    const pages = [...(await stagedPages(app, orders)), ...(await stagedPages(app, assets))];
    return pages.length > 25;
  });
  worker.child.kill('SIGKILL');
  await worker.ended;
  app.sim.faults.clear();
  const staged = await Promise.all([finalStagedPages(app, orders), finalStagedPages(app, assets)]);
  await app.startWorkers();
  killed = {
    orders: await describeRun(app, orders, staged[0], handles[0]),
    assets: await describeRun(app, assets, staged[1], handles[1]),
  };
}, 120_000);
afterAll(async () => {
  await runner.close();
  await app.close();
});

test.each(['orders', 'assets'] as const)(
  'workers killed while they read %s lose nothing, and no staged page is requested again',
  (name) => {
    const { staged, requests, result, rows } = killed[name];
    expect(result).toMatchObject({ outcome: 'published', inserted: ROWS });
    expect(rows).toBe(ROWS);
    expect(staged.length).toBeLessThan(PAGES);
    expect([...requests.keys()].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: PAGES }, (__, i) => i + 1),
    );
    expect(staged.filter((page) => requests.get(page) !== 1)).toEqual([]);
  },
);
