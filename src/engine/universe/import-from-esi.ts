import { ZodError } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { countRequests } from '../../store/sets/runs.ts';
import {
  addImportItems,
  completeImportItems,
  countImportItems,
  createImportItems,
  type ImportItem,
  readOpenImportItems,
} from '../../store/universe/import-items.ts';
import { readStaticIds } from '../../store/universe/static-rows.ts';
import {
  placeholderRow,
  STATIC_TABLE_NAMES,
  STATIC_TABLES,
  type StaticRow,
  type StaticTableName,
} from '../../store/universe/static-tables.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { fetchIds, parseIds } from '../fetch-ids.ts';
import type { RunRef } from '../run/run-steps.ts';
import { ESI_SOURCES, stationsOf } from './esi-static-rows.ts';

/** Milliseconds that one call works before it reports, so that the Web UI and the CLI show progress. */
const MAX_WORK = 45_000;

/** Items fetched between two writes: ten seconds at 300 requests a minute. A kill costs one batch. */
const BATCH = 50;

/**
 * Continues an import of the universe from ESI, about 71,000 requests in all: fetches the data of each listed id and
 * stages it. Returns the progress.
 */
export async function importFromEsi(
  engine: EngineContext,
  run: RunRef,
  step: StepContext,
): Promise<{ done: number; total: number }> {
  const until = engine.clock.now() + MAX_WORK;
  while (engine.clock.now() < until) {
    step.signal?.throwIfAborted();
    const items = await readOpenImportItems(engine.db.pool, run.runId, BATCH);
    if (items.length === 0) break;
    await fetchImportItems(engine, run, items, step);
    step.heartbeat?.(await countImportItems(engine.db.pool, run.runId));
  }
  return countImportItems(engine.db.pool, run.runId);
}

/** Lists the items to fetch. `categories` is the answer that was fetched to learn the age of all lists. */
export async function listImportItems(
  engine: EngineContext,
  run: RunRef,
  categories: unknown,
  step: StepContext,
): Promise<void> {
  const items: ImportItem[] = [];
  const add = (table: StaticTableName, ids: readonly number[]) => {
    for (const id of ids) items.push({ table, id });
  };
  add('categories', parseIds('/universe/categories', categories));
  let requests = 0;
  for (const table of STATIC_TABLE_NAMES) {
    const route = ESI_SOURCES[table].list;
    if (route === undefined || table === 'categories') continue;
    const listed = await fetchIds(engine, { route, ...step });
    requests += listed.requests;
    add(table, listed.ids);
  }
  // ESI lists no schematics. Known ones are fetched again; new ones come with the SDE only.
  add('schematics', await readStaticIds(engine.db.pool, 'schematics'));
  await countRequests(engine.db.pool, run.runId, requests);
  await createImportItems(engine.db, run.runId, items);
}

async function fetchImportItems(
  engine: EngineContext,
  run: RunRef,
  items: readonly ImportItem[],
  step: StepContext,
): Promise<void> {
  const rows = new Map<StaticTableName, StaticRow[]>();
  const stations: ImportItem[] = [];
  const failures: unknown[] = [];
  let requests = 0;
  const addRow = (table: StaticTableName, row: StaticRow) =>
    rows.set(table, [...(rows.get(table) ?? []), row]);
  const fetchItem = async ({ table, id }: ImportItem) => {
    const { detail, toRow } = ESI_SOURCES[table];
    try {
      const params = { [STATIC_TABLES[table].key]: id };
      const answer = await engine.esi.get({ route: detail, params, ...step });
      requests += answer.requests;
      addRow(table, toRow(answer.json, id));
      if (table === 'systems')
        for (const station of stationsOf(answer.json)) stations.push({ table: 'stations', id: station });
    } catch (error) {
      if (error instanceof EsiError) requests += error.requests;
      if (error instanceof EsiError && error.status === 404) return; // deleted since it was listed
      failures.push(error);
      addRow(table, placeholderRow(table, id));
    }
  };
  await allSettledOrThrow(items.map(fetchItem));
  await countRequests(engine.db.pool, run.runId, requests);
  // One id that ESI fails for must not stop the rest. When all fail, or ESI asks to wait, ESI is unavailable.
  const fatal = failures.find((error) =>
    error instanceof EsiError ? error.verdict === 'wait' : !(error instanceof ZodError),
  );
  if (fatal !== undefined) throw fatal;
  if (failures.length === items.length && !(await isEsiAvailable(engine, run, step))) throw failures[0];
  await addImportItems(engine.db.pool, run.runId, stations);
  await completeImportItems(engine.db, run.runId, items, rows);
}

/** Whether ESI answers at all. If so, the ids are at fault, which may be the last ones left. */
async function isEsiAvailable(engine: EngineContext, run: RunRef, step: StepContext): Promise<boolean> {
  try {
    const { requests } = await engine.esi.get({ route: '/status', shared: true, ...step });
    await countRequests(engine.db.pool, run.runId, requests);
    return true;
  } catch (error) {
    if (error instanceof EsiError) return false;
    throw error;
  }
}
