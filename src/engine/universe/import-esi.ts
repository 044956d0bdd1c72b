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
  hasUnits,
  readUnitCounts,
  type Unit,
  takeUnits,
} from '../../store/units.ts';
import type { Ports, StepContext } from '../ports.ts';
import type { RunRef } from '../steps.ts';
import { ESI_SOURCES, stationsOf } from './esi-rows.ts';

/** A call works this long and then reports: the Web UI and the CLI see progress, and a kill costs one batch. */
const WORK = 45_000;

/** Details fetched between two writes: ten seconds at the ceiling of 300 requests a minute. */
const BATCH = 50;

/**
 * A part of importing the universe from ESI alone, some 71,000 requests in all: lists first, then a detail for each
 * id, staged as it goes. Resumes where it stopped. Returns how far it is.
 */
export async function importFromEsi(
  ports: Ports,
  run: RunRef,
  context: StepContext,
): Promise<{ done: number; total: number }> {
  if (!(await hasUnits(ports.db.pool, run.runId))) await listUnits(ports, run, context);
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

async function listUnits(ports: Ports, run: RunRef, context: StepContext): Promise<void> {
  const units: Unit[] = [];
  let requests = 0;
  for (const table of STATIC_TABLE_NAMES) {
    const route = ESI_SOURCES[table].list;
    if (route === undefined) continue;
    for (let page = 1, pages = 1; page <= pages; page++) {
      const answer = await ports.esi.get({
        route,
        query: page > 1 ? { page: String(page) } : {},
        ...context,
      });
      requests += answer.requests;
      pages = answer.pages ?? 1;
      if (!Array.isArray(answer.json)) throw notAList(route);
      for (const id of answer.json) if (Number.isSafeInteger(id)) units.push({ table, id: id as number });
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
        keep(table, { [STATIC_TABLES[table].key]: id, name: `unknown ${table} ${id}`, is_placeholder: true });
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
  if (failures.length === units.length) throw failures[0];
  await addUnits(ports.db.pool, run.runId, stations);
  await finishUnits(ports.db, run.runId, units, rows);
}

const notAList = (route: string) =>
  new AppError(`ESI answered ${route} with something that is no list.`, {
    code: 'ESI_BAD_SHAPE',
    verdict: 'retry',
  });
