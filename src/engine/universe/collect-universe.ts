import type { PoolClient } from 'pg';
import { AppError } from '../../lib/errors.ts';
import { lockPublishedSnapshot } from '../../store/sets/preconditions.ts';
import {
  isConfirmed,
  readPublishedSnapshot,
  writePublishedSnapshot,
  writeSuspect,
} from '../../store/sets/published-snapshots.ts';
import { storeRejectedRows } from '../../store/sets/rejected-rows.ts';
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
import { refusalDetail } from '../run/check-snapshot.ts';
import { closeProcedureRun, openProcedureRun } from '../run/procedure-run.ts';
import type { RunRef, Step } from '../run/run-steps.ts';
import { importFromEsi, listImportItems } from './import-from-esi.ts';
import { importSde, type SdeImportResult } from './import-from-sde.ts';
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
  const { inserted, changed, note } = counts;
  const rows = inserted + changed;
  const resolved = await resolvePlaceholders(engine, run, step);
  const outcome = rows + resolved > 0 ? 'published' : 'unchanged';
  return closeProcedureRun(engine, run, { outcome, inserted, changed, rows, note });
}

interface Counts {
  readonly inserted: number;
  readonly changed: number;
  /** What the run has to say besides its outcome. */
  readonly note?: string | undefined;
}

const UNCHANGED: Counts = { inserted: 0, changed: 0 };

/**
 * Imports the newest build. Invalid rows are rejected, and the others published; a build of which many rows are invalid is
 * imported again by each run, so that a release that understands it finds it. A build that lacks half of the known rows of a
 * table is refused until a later one lacks them too, or a person accepts it.
 */
async function collectFromSde(engine: EngineContext, run: RunRef, step: StepContext): Promise<Counts | Step> {
  const { pool } = engine.db;
  await dropUnfinishedImports(pool, run.runId);
  const { build, released } = await engine.sde.latest(step.signal);
  const version = `sde ${build}`;
  const previous = await readPublishedSnapshot(pool, run);
  if (previous?.version === version) return UNCHANGED;
  const file = await engine.sde.download(build, step.signal, step.heartbeat);
  const now = new Date(engine.clock.now());
  const at = released ?? now;
  const isBelieved = isConfirmed('rows-missing', at, previous);
  const importing = engine.db.decideTransaction<SdeImportResult & { readonly isRefused: boolean }>(
    async (client) => {
      const result = await importSde(client, { file, build }, step);
      const isRefused = result.losses.length > 0 && !isBelieved;
      if (isRefused) return { commit: false, result: { ...result, isRefused } };
      await recordRows(client, run, result, now);
      const published = {
        runId: run.runId,
        pages: 1,
        rows: result.read - result.rejected,
        version: result.unread.length > 0 ? undefined : version,
        believed: result.losses.length > 0 ? (['rows-missing'] as const) : [],
      };
      await writePublishedSnapshot(client, run, published, now);
      return { commit: true, result: { ...result, isRefused } };
    },
  );
  const result = await importing.catch(async (error: unknown) => {
    if (error instanceof AppError && error.code === 'SDE_BROKEN') await engine.sde.setAside(build);
    throw error;
  });
  return result.isRefused ? refuse(engine, run, result, at) : { ...result, note: noteOf(result) };
}

/** Stores the invalid rows of an import, and counts all rows. */
async function recordRows(
  client: PoolClient,
  run: RunRef,
  { read, rejected, invalid }: SdeImportResult,
  now: Date,
): Promise<void> {
  for (const rows of invalid) await storeRejectedRows(client, run, run.runId, rows, now);
  await addRunCounts(client, run.runId, { pages: 1, read, rejected });
}

/** Closes the run of a build that is not imported, and keeps what a later one has to confirm. */
async function refuse(
  engine: EngineContext,
  run: RunRef,
  result: SdeImportResult,
  lastModified: Date,
): Promise<Step> {
  const cause = `${result.losses.join('; ')}. The next build has to confirm that`;
  const error = refusalDetail(cause, run.runId);
  engine.log.warn({ ...run, reason: error }, 'the static data export is not imported');
  await engine.db.transaction(async (client) => {
    const previous = await lockPublishedSnapshot(client, run);
    const suspect = { reason: 'rows-missing', lastModified, rows: result.read, isAccepted: false } as const;
    await writeSuspect(client, run, { expires: previous?.expires, suspect, keylessReadings: 0 });
    await recordRows(client, run, result, new Date(engine.clock.now()));
  });
  return closeProcedureRun(engine, run, { outcome: 'refused', rows: 0, lastModified, error });
}

/** What an import has to say of rows that it left out or missed. */
function noteOf({ unread, losses }: SdeImportResult): string | undefined {
  const notes = [
    ...unread.map((text) => `${text}; see rejected_rows. The build is imported again with each run.`),
    ...losses.map(
      (text) => `Believed, because the build before gave the same or a person accepted it: ${text}.`,
    ),
  ];
  return notes.length === 0 ? undefined : notes.join(' ');
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
