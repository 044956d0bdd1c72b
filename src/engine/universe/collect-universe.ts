import { AppError } from '../../lib/errors.ts';
import { readPublishedSnapshot, writePublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import {
  addRunCounts,
  setRowsRead,
  countRequests,
  readSourceAge,
  recordSourceAge,
  type RunKey,
} from '../../store/sets/runs.ts';
import {
  adoptImportItems,
  dropImportItems,
  dropUnfinishedImports,
  hasImportItems,
  mergeImportItems,
} from '../../store/universe/import-items.ts';
import { readPlaceholders } from '../../store/universe/static-rows.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { closeProcedureRun, openProcedureRun } from '../run/procedure-run.ts';
import type { RunRef, Step } from '../run/run-steps.ts';
import { importFromEsi, listImportItems } from './import-from-esi.ts';
import { importSde } from './import-from-sde.ts';
import { type Requested, resolveIds } from './resolve-references.ts';

/** Placeholders requested from ESI after an import, which live data refers to and the export lacks: a minute's requests. */
const PLACEHOLDERS_PER_RUN = 300;

/**
 * Collects the universe: from the SDE when its build is new, or entirely from ESI. Then remaining placeholders are
 * requested from ESI. Returns `continue` until it is complete. Safe to repeat and to kill: the tables change in one
 * transaction.
 */
export async function collectUniverse(engine: EngineContext, key: RunKey, step: StepContext): Promise<Step> {
  const opened = await openProcedureRun(engine, key);
  if ('closed' in opened) return opened.closed;
  const { run } = opened;
  const counts =
    engine.settings.universeSource === 'sde'
      ? await collectFromSde(engine, run, step)
      : await collectFromEsi(engine, run, step);
  if ('state' in counts) return counts;
  const { inserted, changed } = counts;
  const rows = inserted + changed;
  const resolved = await resolvePlaceholders(engine, run, step);
  const outcome = rows + resolved > 0 ? 'published' : 'unchanged';
  return closeProcedureRun(engine, run, { outcome, inserted, changed, rows });
}

interface Counts {
  readonly inserted: number;
  readonly changed: number;
}

const UNCHANGED: Counts = { inserted: 0, changed: 0 };

async function collectFromSde(engine: EngineContext, run: RunRef, step: StepContext): Promise<Counts> {
  await dropUnfinishedImports(engine.db.pool, run.runId);
  const { build } = await engine.sde.latest(step.signal);
  const version = `sde ${build}`;
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  if (previous?.version === version) return UNCHANGED;
  const file = await engine.sde.download(build, step.signal, step.heartbeat);
  const importing = engine.db.transaction(async (client) => {
    const { read, rejected, ...counts } = await importSde(engine, client, run, file, step);
    await addRunCounts(client, run.runId, { pages: 1, read, rejected });
    const published = { runId: run.runId, pages: 1, rows: read, version };
    await writePublishedSnapshot(client, run, published, new Date(engine.clock.now()));
    return counts;
  });
  return importing.catch(async (error: unknown) => {
    if (error instanceof AppError && error.code === 'SDE_BROKEN') await engine.sde.setAside(build);
    throw error;
  });
}

async function collectFromEsi(engine: EngineContext, run: RunRef, step: StepContext): Promise<Counts | Step> {
  const { pool } = engine.db;
  if (!(await hasImportItems(pool, run.runId))) await adoptImportItems(engine.db, run.runId);
  if (!(await hasImportItems(pool, run.runId))) {
    const previous = await readPublishedSnapshot(pool, run);
    const isFromEsi = previous?.version?.startsWith('esi ') ?? false;
    if (isFromEsi && (previous?.expires?.getTime() ?? 0) > engine.clock.now()) return UNCHANGED;
    // All static routes have one Last-Modified per day, so one small request shows whether anything changed.
    const categories = await engine.esi.get({ route: '/universe/categories', shared: true, ...step });
    await countRequests(pool, run.runId, categories.requests);
    const { lastModified } = categories;
    if (lastModified && previous?.version === versionOf(lastModified)) return UNCHANGED;
    await recordSourceAge(pool, run.runId, categories);
    await listImportItems(engine, run, categories.json, step);
  }
  const { done, total } = await importFromEsi(engine, run, step);
  if (done < total) return { state: 'continue', done, total };
  const counts = await engine.db.transaction(async (client) => {
    const merged = await mergeImportItems(client, run.runId);
    await setRowsRead(client, run.runId, total);
    const { lastModified, expires } = await readSourceAge(client, run.runId);
    const version = lastModified && versionOf(lastModified);
    const published = { runId: run.runId, lastModified, expires, pages: 1, rows: total, version };
    await writePublishedSnapshot(client, run, published, new Date(engine.clock.now()));
    return merged;
  });
  await dropImportItems(pool, run.runId);
  return counts;
}

const versionOf = (lastModified: Date) => `esi ${lastModified.toISOString()}`;

/** Tables whose placeholders are resolved, in this order. Types and stations can have the most. */
const RESOLVED_TABLES = [
  'categories',
  'groups',
  'market_groups',
  'regions',
  'constellations',
  'systems',
  'types',
  'stations',
] as const;

/** Requests placeholders of all static tables. Returns how many were resolved. */
async function resolvePlaceholders(engine: EngineContext, run: RunRef, step: StepContext): Promise<number> {
  let found = 0;
  const requested: Requested = new Map();
  for (const table of RESOLVED_TABLES) {
    const ids = await readPlaceholders(engine.db.pool, table, PLACEHOLDERS_PER_RUN);
    if (ids.length === 0) continue;
    const resolved = await resolveIds(engine, table, ids, step, requested);
    await countRequests(engine.db.pool, run.runId, resolved.requests);
    found += resolved.found;
    if (resolved.isWaiting) break; // ESI is unavailable or limits requests: the next run continues
  }
  return found;
}
