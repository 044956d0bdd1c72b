import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/lib/clock.ts';
import { type CollectInput, type TestApp, testApp, testSettings } from '../../support/test-app.ts';
import { ANNA, logIn, characterTarget } from '../../support/owner-engine.ts';
import { TEST_APPLICATION } from '../../support/test-secrets.ts';
import { eventually } from '../../support/test-temporal.ts';

const [FORGE_ID, ROWS, PAGES] = [10000002, 64_500, 65];

/** A run of 65 pages. */
interface RunToKill {
  readonly options: NonNullable<Parameters<typeof testApp>[0]>;
  /** Runs before the run is started. */
  readonly prepare?: (app: TestApp) => Promise<unknown>;
  readonly input: CollectInput;
  /** The route of the pages. */
  readonly route: string;
  readonly table: string;
}

const ORDERS: RunToKill = {
  options: { regions: { [FORGE_ID]: ROWS } },
  input: { collector: 'market-orders', target: `region/${FORGE_ID}` },
  route: '/markets/{region_id}/orders',
  table: 'market_orders_public',
};

const ASSETS: RunToKill = {
  options: {
    owners: { characters: [{ id: ANNA, name: 'Anna Testa', assets: ROWS }] },
    settings: { ESI_CLIENT_ID: TEST_APPLICATION.clientId, ESI_CLIENT_SECRET: TEST_APPLICATION.clientSecret },
  },
  prepare: (app) => logIn({ ...app, clock: systemClock }, ANNA),
  input: { collector: 'assets', target: characterTarget(ANNA) },
  route: '/characters/{character_id}/assets',
  table: 'assets',
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

/** Starts workers in a process of their own. */
async function startWorkerProcess(app: TestApp, options: RunToKill['options']) {
  const loader = pathToFileURL(path.join(import.meta.dirname, '..', '..', 'support', 'ts-loader.mjs')).href;
  const settings = {
    ...testSettings(app.sim, app.config.DATA_DIR),
    SSO_BASE_URL: app.sim.ssoUrl,
    ...options.settings,
    DATABASE_URL: app.db.url,
    TEMPORAL_ADDRESS: app.temporal.address,
    TEMPORAL_NAMESPACE: app.temporal.namespace,
  };
  const script = path.join(import.meta.dirname, 'worker-process.ts');
  const args = ['--no-warnings', '--import', loader, script, JSON.stringify(settings)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

const stagedPages = async ({ db }: TestApp) =>
  (await db.rows<{ page: number }>('SELECT page FROM stage.pages ORDER BY page')).map(({ page }) => page);

/** Kills the worker of a run (kill -9) while it reads pages. Another worker completes it when the heartbeat is overdue. */
async function killInTheMiddle(run: RunToKill): Promise<KilledRun> {
  const { options, prepare, input, route, table } = run;
  const app = await testApp({ ...options, enforceLimits: false });
  const child = await startWorkerProcess(app, options);
  try {
    await app.collect({ collector: 'universe' });
    await prepare?.(app);
    app.sim.resetCounters();
    app.sim.faults.latency(120, { route }); // 20 connections, 65 pages: four rounds
    const handle = await app.start(input);
    await eventually('some pages', async () => (await stagedPages(app)).length > 5);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    app.sim.faults.clear();
    // A transaction that the killed process had sent may still commit.
    const staged = await eventually('an unchanging number of pages', async () => {
      const before = await stagedPages(app);
      await new Promise((next) => setTimeout(next, 200));
      const after = await stagedPages(app);
      return before.length === after.length && after;
    });
    await app.startWorkers();
    const result = (await handle.result()) as Record<string, unknown>;
    const requests = new Map<number, number>();
    for (const request of app.sim.requests()) {
      if (request.route !== route) continue;
      const page = Number(new URL(request.path, app.sim.url).searchParams.get('page') ?? 1);
      requests.set(page, (requests.get(page) ?? 0) + 1);
    }
    const [counted] = await app.db.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
    return { staged, requests, result, rows: counted!.n };
  } finally {
    child.kill('SIGKILL');
    await app.close();
  }
}

// Both run at the same time, because each waits ten seconds for the heartbeat.
let orders: Promise<KilledRun>;
let assets: Promise<KilledRun>;
beforeAll(() => {
  orders = killInTheMiddle(ORDERS);
  assets = killInTheMiddle(ASSETS);
});
afterAll(() => Promise.allSettled([orders, assets]));

test.each([
  ['market orders', () => orders],
  ['assets', () => assets],
])(
  'a worker killed while it reads %s loses nothing, and no staged page is requested again',
  async (_, killed) => {
    const { staged, requests, result, rows } = await killed();
    expect(result).toMatchObject({ outcome: 'published', inserted: ROWS });
    expect(rows).toBe(ROWS);
    expect(staged.length).toBeLessThan(PAGES);
    expect([...requests.keys()].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: PAGES }, (__, i) => i + 1),
    );
    expect(staged.filter((page) => requests.get(page) !== 1)).toEqual([]);
  },
);
