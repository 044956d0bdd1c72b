import { ZodError } from 'zod';
import { EsiError } from '../../esi/errors.ts';
import { AppError } from '../../kernel/errors.ts';
import {
  STATIC_TABLE_NAMES,
  STATIC_TABLES,
  type StaticRow,
  type StaticTableName,
} from '../../spec/static-tables.ts';
import { countRequests } from '../../store/runs.ts';
import {
  addUnits,
  createUnits,
  finishUnits,
  readUnitCounts,
  type Unit,
  takeUnits,
} from '../../store/units.ts';
import { label } from '../../store/static.ts';
import type { Ports, StepContext } from '../ports.ts';
import type { RunRef } from '../steps.ts';
import { ESI_SOURCES, stationsOf } from './esi-rows.ts';

/** A call works this long and then reports: the Web UI and the CLI see progress, and a kill costs one batch. */
const WORK = 45_000;

/** Details fetched between two writes: ten seconds at the ceiling of 300 requests a minute. */
const BATCH = 50;

/**
 * A part of importing the universe from ESI alone, some 71,000 requests in all: a detail for each listed id, staged as
 * it goes. Resumes where it stopped. Returns how far it is.
 */
export async function importFromEsi(
  ports: Ports,
  run: RunRef,
  context: StepContext,
): Promise<{ done: number; total: number }> {
  const until = ports.clock.now() + WORK;
  while (ports.clock.now() < until) {
    context.signal?.throwIfAborted();
    const units = await takeUnits(ports.db.pool, run.runId, BATCH);
    if (units.length === 0) break;
    await fetchUnits(ports, run, units, context);
    context.alive?.(await readUnitCounts(ports.db.pool, run.runId));
  }
  return readUnitCounts(ports.db.pool, run.runId);
}

/** Lists what there is to fetch. The list of categories is given: it was read to learn the age of them all. */
export async function listUnits(
  ports: Ports,
  run: RunRef,
  categories: unknown,
  context: StepContext,
): Promise<void> {
  const units: Unit[] = [];
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
      const answer = await ports.esi.get({
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
  const { rows } = await ports.db.pool.query<{ id: number }>(`SELECT schematic_id AS id FROM schematics`);
  for (const { id } of rows) units.push({ table: 'schematics', id });
  await countRequests(ports.db.pool, run.runId, requests);
  await createUnits(ports.db, run.runId, units);
}

async function fetchUnits(
  ports: Ports,
  run: RunRef,
  units: readonly Unit[],
  context: StepContext,
): Promise<void> {
  const rows = new Map<StaticTableName, StaticRow[]>();
  const stations: Unit[] = [];
  let requests = 0;
  const failures: unknown[] = [];
  const keep = (table: StaticTableName, row: StaticRow) => rows.set(table, [...(rows.get(table) ?? []), row]);
  await Promise.all(
    units.map(async ({ table, id }) => {
      const { detail, param, toRow } = ESI_SOURCES[table];
      try {
        const answer = await ports.esi.get({ route: detail, params: { [param]: id }, ...context });
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
  await countRequests(ports.db.pool, run.runId, requests);
  // One id that ESI cannot answer must not stop the rest; when none is answered, or we are told to wait, ESI is away.
  const wait = failures.find(
    (error) =>
      !(error instanceof EsiError || error instanceof ZodError) ||
      (error instanceof EsiError && error.verdict === 'wait'),
  );
  if (wait !== undefined) throw wait;
  if (failures.length === units.length && !(await answers(ports, run, context))) throw failures[0];
  await addUnits(ports.db.pool, run.runId, stations);
  await finishUnits(ports.db, run.runId, units, rows);
}

function placeholder(table: StaticTableName, id: number): StaticRow {
  const { key, columns } = STATIC_TABLES[table];
  const published = columns.includes('published') ? { published: false } : {};
  return { [key]: id, name: `${label(table)} ${id}`, is_placeholder: true, ...published };
}

/** Whether ESI answers at all: then it is the ids that are bad, be they the last ones left. */
async function answers(ports: Ports, run: RunRef, context: StepContext): Promise<boolean> {
  try {
    const { requests } = await ports.esi.get({ route: '/status', ...context });
    await countRequests(ports.db.pool, run.runId, requests);
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
