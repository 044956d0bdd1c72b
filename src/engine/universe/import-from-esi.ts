import { ZodError } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { AppError } from '../../lib/errors.ts';
import {
  STATIC_TABLE_NAMES,
  STATIC_TABLES,
  type StaticRow,
  type StaticTableName,
} from '../../store/universe/static-tables.ts';
import { countRequests } from '../../store/sets/runs.ts';
import {
  addImportItems,
  createImportItems,
  finishImportItems,
  countImportItems,
  type ImportItem,
  takeImportItems,
} from '../../store/universe/import-items.ts';
import { label } from '../../store/universe/static-rows.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef } from '../run/run-steps.ts';
import { ESI_SOURCES, stationsOf } from './esi-static-rows.ts';

/** A call works this long and then reports: the Web UI and the CLI see progress, and a kill costs one batch. */
const WORK = 45_000;

/** Details fetched between two writes: ten seconds at the ceiling of 300 requests a minute. */
const BATCH = 50;

/**
 * A part of importing the universe from ESI alone, some 71,000 requests in all: a detail for each listed id, staged as
 * it goes. Resumes where it stopped. Returns how far it is.
 */
export async function importFromEsi(
  engine: EngineContext,
  run: RunRef,
  context: StepContext,
): Promise<{ done: number; total: number }> {
  const until = engine.clock.now() + WORK;
  while (engine.clock.now() < until) {
    context.signal?.throwIfAborted();
    const units = await takeImportItems(engine.db.pool, run.runId, BATCH);
    if (units.length === 0) break;
    await fetchImportItems(engine, run, units, context);
    context.heartbeat?.(await countImportItems(engine.db.pool, run.runId));
  }
  return countImportItems(engine.db.pool, run.runId);
}

/** Lists what there is to fetch. The list of categories is given: it was read to learn the age of them all. */
export async function listImportItems(
  engine: EngineContext,
  run: RunRef,
  categories: unknown,
  context: StepContext,
): Promise<void> {
  const units: ImportItem[] = [];
  let requests = 0;
  const add = (table: StaticTableName, json: unknown) => {
    if (!Array.isArray(json)) throw notAList(ESI_SOURCES[table].list ?? table);
    for (const id of json) if (Number.isSafeInteger(id)) units.push({ table, id: id as number });
  };
  add('categories', categories);
  for (const table of STATIC_TABLE_NAMES) {
    const route = ESI_SOURCES[table].list;
    if (route === undefined || table === 'categories') continue;
    for (let page = 1, pages = 1; page <= pages; page++) {
      const answer = await engine.esi.get({
        route,
        query: page > 1 ? { page: String(page) } : {},
        ...context,
      });
      requests += answer.requests;
      pages = answer.pages ?? 1;
      add(table, answer.json);
    }
  }
  // Schematics have no list: those known already are asked again, new ones come with the SDE alone.
  const { rows } = await engine.db.pool.query<{ id: number }>(`SELECT schematic_id AS id FROM schematics`);
  for (const { id } of rows) units.push({ table: 'schematics', id });
  await countRequests(engine.db.pool, run.runId, requests);
  await createImportItems(engine.db, run.runId, units);
}

async function fetchImportItems(
  engine: EngineContext,
  run: RunRef,
  units: readonly ImportItem[],
  context: StepContext,
): Promise<void> {
  const rows = new Map<StaticTableName, StaticRow[]>();
  const stations: ImportItem[] = [];
  let requests = 0;
  const failures: unknown[] = [];
  const keep = (table: StaticTableName, row: StaticRow) => rows.set(table, [...(rows.get(table) ?? []), row]);
  await Promise.all(
    units.map(async ({ table, id }) => {
      const { detail, param, toRow } = ESI_SOURCES[table];
      try {
        const answer = await engine.esi.get({ route: detail, params: { [param]: id }, ...context });
        requests += answer.requests;
        keep(table, toRow(answer.json, id));
        if (table === 'systems')
          stations.push(...stationsOf(answer.json).map((s) => ({ table: 'stations' as const, id: s })));
      } catch (error) {
        if (error instanceof EsiError) requests += error.requests;
        if (error instanceof EsiError && error.status === 404) return; // listed and gone: nothing to keep
        failures.push(error);
        keep(table, placeholder(table, id));
      }
    }),
  );
  await countRequests(engine.db.pool, run.runId, requests);
  // One id that ESI cannot answer must not stop the rest; when none is answered, or we are told to wait, ESI is away.
  const wait = failures.find(
    (error) =>
      !(error instanceof EsiError || error instanceof ZodError) ||
      (error instanceof EsiError && error.verdict === 'wait'),
  );
  if (wait !== undefined) throw wait;
  if (failures.length === units.length && !(await answers(engine, run, context))) throw failures[0];
  await addImportItems(engine.db.pool, run.runId, stations);
  await finishImportItems(engine.db, run.runId, units, rows);
}

function placeholder(table: StaticTableName, id: number): StaticRow {
  const { key, columns } = STATIC_TABLES[table];
  const published = columns.includes('published') ? { published: false } : {};
  return { [key]: id, name: `${label(table)} ${id}`, is_placeholder: true, ...published };
}

/** Whether ESI answers at all: then it is the ids that are bad, be they the last ones left. */
async function answers(engine: EngineContext, run: RunRef, context: StepContext): Promise<boolean> {
  try {
    const { requests } = await engine.esi.get({ route: '/status', ...context });
    await countRequests(engine.db.pool, run.runId, requests);
    return true;
  } catch (error) {
    if (error instanceof EsiError) return false;
    throw error;
  }
}

const notAList = (route: string) =>
  new AppError(`ESI answered ${route} with something that is no list.`, {
    code: 'ESI_BAD_SHAPE',
    verdict: 'retry',
  });
