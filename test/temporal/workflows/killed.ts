import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from '@jest/globals';
import { type CollectInput, type TestApp, testApp, testSettings } from '../../support/app.ts';
import { eventually } from '../../support/temporal.ts';

/** A set of 65 pages, and who reads it. */
export interface Victim {
  readonly options: Parameters<typeof testApp>[0];
  /** What has to be there before the run. */
  readonly prepare?: (world: TestApp) => Promise<unknown>;
  readonly run: CollectInput;
  /** Of the pages. */
  readonly route: string;
  readonly table: string;
}

export interface KilledRun {
  /** Pages that were staged when the worker was killed. */
  readonly staged: readonly number[];
  /** How often each page was asked for, over both workers. */
  readonly asked: ReadonlyMap<number, number>;
  readonly result: Record<string, unknown>;
  /** Rows of the table in the end. */
  readonly rows: number;
}

async function startChild(world: TestApp, options: Victim['options']) {
  const loader = pathToFileURL(path.join(import.meta.dirname, '..', '..', 'support', 'ts-loader.mjs')).href;
  const settings = {
    ...testSettings(world.sim, world.config.DATA_DIR),
    SSO_BASE_URL: world.sim.ssoUrl,
    ...options?.settings,
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

const stagedPages = async ({ db }: TestApp) =>
  (await db.rows<{ page: number }>('SELECT page FROM stage.pages ORDER BY page')).map(({ page }) => page);

/**
 * A run whose worker is killed (kill -9) while it reads pages; another worker, started at once, has to finish it. The
 * second worker hears of it when the heartbeat is overdue, so this takes most of a minute: run it beside other tests.
 */
export async function killInTheMiddle(victim: Victim): Promise<KilledRun> {
  const { options, prepare, run, route, table } = victim;
  const world = await testApp({ ...options, enforceLimits: false });
  const child = await startChild(world, options);
  try {
    await world.collect({ collector: 'universe' });
    await prepare?.(world);
    world.sim.resetCounters();
    world.sim.faults.latency(120, { route }); // 20 connections, 65 pages: four rounds
    const handle = await world.start(run);
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
    for (const request of world.sim.requests()) {
      if (request.route !== route) continue;
      const page = Number(new URL(request.path, world.sim.url).searchParams.get('page') ?? 1);
      asked.set(page, (asked.get(page) ?? 0) + 1);
    }
    const [counted] = await world.db.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
    return { staged, asked, result, rows: counted!.n };
  } finally {
    child.kill('SIGKILL');
    await world.close();
  }
}

/** Nothing is missing, nothing twice, and what was staged before the kill was not asked again. */
export function expectWhole({ staged, asked, result, rows }: KilledRun, size: number): void {
  expect(result).toMatchObject({ outcome: 'published', inserted: size });
  expect(rows).toBe(size);
  expect(staged.length).toBeLessThan(65);
  expect([...asked.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 65 }, (_, i) => i + 1));
  expect(staged.filter((page) => asked.get(page) !== 1)).toEqual([]);
}
