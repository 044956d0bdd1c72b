import { readPublishedSnapshot, writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import {
  closeAbandoned,
  closeRun,
  countRequests,
  recordSourceAge,
  readSourceAge,
  openRun,
  readRunResult,
  type RunKey,
} from '../../store/sets/runs.ts';
import { readPlaceholders } from '../../store/universe/static-rows.ts';
import {
  adoptImportItems,
  dropOldImportItems,
  dropImportItems,
  hasImportItems,
  mergeImportItems,
} from '../../store/universe/import-items.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef, Step } from '../run/run-steps.ts';
import { importFromEsi, listImportItems } from './import-from-esi.ts';
import { importSde } from './import-from-sde.ts';
import { type Asked, resolveIds } from './resolve-references.ts';

/** Placeholders asked of ESI after an import: what live data named and the export lacks. A minute at the ceiling. */
const COMPLETED_PER_RUN = 300;

/**
 * The universe collector: from the SDE when its build is new, or wholly from ESI; then what is still a placeholder is
 * asked of ESI. Call it again while it answers `more`. Safe to repeat and to kill: tables change in one transaction.
 */
export async function collectUniverse(
  engine: EngineContext,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const now = new Date(engine.clock.now());
  const runId = await openRun(engine.db.pool, key, now);
  const run = { collector: key.collector, target: key.target, runId };
  const earlier = await readRunResult(engine.db.pool, runId);
  if (earlier) return { state: 'done', summary: { ...earlier, runId } };
  await closeAbandoned(engine.db.pool, key, runId, now);
  const fromSde = engine.settings.universeSource === 'sde';
  if (fromSde) await dropOldImportItems(engine.db.pool, runId);
  else if (!(await hasImportItems(engine.db.pool, runId))) await adoptImportItems(engine.db, runId);
  const done = fromSde ? await fromExport(engine, run, context) : await fromEsi(engine, run, context);
  if ('state' in done) return done;
  const completed = await complete(engine, run, context);
  const touched = done.inserted + done.changed + completed > 0;
  const result = { outcome: touched ? ('published' as const) : ('unchanged' as const), ...done, removed: 0 };
  await closeRun(engine.db.pool, runId, result, new Date(engine.clock.now()));
  engine.metrics.runFinished(key.collector, result.outcome, done.inserted + done.changed, engine.clock.now());
  return { state: 'done', summary: { ...result, runId } };
}

interface Counts {
  readonly inserted: number;
  readonly changed: number;
}

const UNCHANGED: Counts = { inserted: 0, changed: 0 };

async function fromExport(engine: EngineContext, run: RunRef, context: StepContext): Promise<Counts> {
  const { build } = await engine.sde.latest(context.signal);
  const version = `sde ${build}`;
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  if (previous?.version === version) return UNCHANGED;
  const file = await engine.sde.download(build, context.signal, context.heartbeat);
  return engine.db.transaction(async (client) => {
    const counts = await importSde(engine, client, run, file, context);
    await client.query(
      `UPDATE collection_runs SET rows_read = $2, rows_rejected = $3, pages = 1 WHERE run_id = $1`,
      [run.runId, counts.read, counts.rejected],
    );
    const set = {
      runId: run.runId,
      lastModified: undefined,
      expires: undefined,
      pages: 1,
      rows: counts.read,
      version,
    };
    await writePublishedSnapshot(client, run, set, new Date(engine.clock.now()));
    return counts;
  });
}

async function fromEsi(engine: EngineContext, run: RunRef, context: StepContext): Promise<Counts | Step> {
  const { pool } = engine.db;
  if (!(await hasImportItems(pool, run.runId))) {
    const previous = await readPublishedSnapshot(pool, run);
    const isOurs = previous?.version?.startsWith('esi ') ?? false;
    if (isOurs && (previous?.expires?.getTime() ?? 0) > engine.clock.now()) return UNCHANGED;
    // Static routes share one Last-Modified a day: one small request tells whether anything can have changed.
    const first = await engine.esi.get({ route: '/universe/categories', ...context });
    await countRequests(pool, run.runId, first.requests);
    if (first.lastModified && previous?.version === versionOf(first.lastModified)) return UNCHANGED;
    await recordSourceAge(pool, run.runId, first);
    await listImportItems(engine, run, first.json, context);
  }
  const { done, total } = await importFromEsi(engine, run, context);
  if (done < total) return { state: 'continue', done, total };
  const counts = await engine.db.transaction(async (client) => {
    const merged = await mergeImportItems(client, run.runId);
    await client.query(`UPDATE collection_runs SET rows_read = $2 WHERE run_id = $1`, [run.runId, total]);
    const { lastModified, expires } = await readSourceAge(client, run.runId);
    const version = lastModified && versionOf(lastModified);
    const set = { runId: run.runId, lastModified, expires, pages: 1, rows: total, version };
    await writePublishedSnapshot(client, run, set, new Date(engine.clock.now()));
    return merged;
  });
  await dropImportItems(pool, run.runId);
  return counts;
}

const versionOf = (lastModified: Date) => `esi ${lastModified.toISOString()}`;

async function complete(engine: EngineContext, run: RunRef, context: StepContext): Promise<number> {
  let found = 0;
  const asked: Asked = new Map();
  for (const table of [
    'categories',
    'groups',
    'market_groups',
    'regions',
    'constellations',
    'systems',
    'types',
    'stations',
  ] as const) {
    const ids = await readPlaceholders(engine.db.pool, table, COMPLETED_PER_RUN);
    if (ids.length === 0) continue;
    const resolved = await resolveIds(engine, table, ids, context, asked);
    await countRequests(engine.db.pool, run.runId, resolved.requests);
    found += resolved.found;
    if (resolved.waiting) break; // ESI is away, or a limit is reached: the next run goes on
  }
  return found;
}
