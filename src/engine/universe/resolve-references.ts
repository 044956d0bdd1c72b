import { ZodError } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { mapConcurrent } from '../../lib/concurrency.ts';
import { describeError } from '../../lib/errors.ts';
import { readUnknownIds } from '../../store/sets/references.ts';
import { countRequests } from '../../store/sets/runs.ts';
import {
  insertPlaceholders,
  insertStructurePlaceholders,
  readRowState,
  touchPlaceholders,
  upsertStatic,
} from '../../store/universe/static-rows.ts';
import { STATIC_TABLES, type StaticRow, type StaticTableName } from '../../store/universe/static-tables.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunContext } from '../run/run-context.ts';
import { ESI_SOURCES } from './esi-static-rows.ts';

/**
 * Ids requested from ESI before a snapshot is published. A snapshot has a handful of new ones a week; thousands mean that
 * the universe was never imported, and its import is faster than single requests. The rest become placeholders.
 */
const MAX_IDS_PER_RUN = 50;

/** Requests at once while resolving. The client's own limits apply as well. */
const CONCURRENCY = 10;

/** Ids that were requested already in one call, because many rows share a group or a system. */
export type Requested = Map<string, Promise<Fetched>>;

/** What the requests of one call share. */
interface Resolution {
  readonly engine: EngineContext;
  readonly step: StepContext;
  readonly requested: Requested;
}

/** The result for one id. */
interface Fetched {
  readonly found: boolean;
  readonly requests: number;
  /** ESI was not requested or asked to wait. */
  readonly isWaiting: boolean;
}

/** Fetches one static row unless it was requested already. */
async function fetchOnce(context: Resolution, table: StaticTableName, id: number): Promise<Fetched> {
  const key = `${table}/${id}`;
  const earlier = context.requested.get(key);
  if (earlier) return { ...(await earlier), requests: 0 };
  const fetching = fetchStatic(context, table, id);
  context.requested.set(key, fetching);
  return fetching;
}

/** Fetches one static row and its unknown parents, and stores them. */
async function fetchStatic(context: Resolution, table: StaticTableName, id: number): Promise<Fetched> {
  const { engine } = context;
  const { signal, heartbeat } = context.step;
  const { detail, toRow } = ESI_SOURCES[table];
  const params = { [STATIC_TABLES[table].key]: id };
  let requests = 0;
  try {
    // With normal priority, whatever the step's is, because publishing waits for it.
    const answer = await engine.esi.get({ route: detail, params, signal, heartbeat });
    requests += answer.requests;
    const row = toRow(answer.json, id);
    requests += await fetchParents(context, table, row);
    await engine.db.transaction((client) => upsertStatic(client, table, row));
    return { found: true, requests, isWaiting: false };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof EsiError || error instanceof ZodError)) throw error;
    if (error instanceof EsiError) requests += error.requests;
    const level = error instanceof EsiError && error.status === 404 ? 'debug' : 'info'; // such ids are common
    engine.log[level]({ table, id, error: describeError(error) }, 'an id could not be resolved');
    return { found: false, requests, isWaiting: error instanceof EsiError && error.verdict === 'wait' };
  }
}

/** Fetches the unknown parents of a row. Returns the requests it took. */
async function fetchParents(context: Resolution, table: StaticTableName, row: StaticRow): Promise<number> {
  const { pool } = context.engine.db;
  let requests = 0;
  for (const [column, parent] of STATIC_TABLES[table].parents) {
    const id = row[column];
    if (typeof id !== 'number' || (await readRowState(pool, parent, id)) === 'known') continue;
    requests += (await fetchOnce(context, parent, id)).requests;
  }
  return requests;
}

/** Fetches and stores the rows of `ids`. Those that cannot be fetched become placeholders. */
export async function resolveIds(
  engine: EngineContext,
  table: StaticTableName,
  ids: readonly number[],
  step: StepContext,
  requested: Requested = new Map(),
): Promise<{ requests: number; found: number; isWaiting: boolean }> {
  const missed: number[] = [];
  const failed: number[] = [];
  let requests = 0;
  await mapConcurrent(ids, CONCURRENCY, async (id) => {
    const fetched = await fetchOnce({ engine, step, requested }, table, id);
    requests += fetched.requests;
    if (!fetched.found) missed.push(id);
    if (!fetched.found && !fetched.isWaiting) failed.push(id);
  });
  await insertPlaceholders(engine.db.pool, table, missed);
  // Ids that only have to wait keep their place in the queue.
  await touchPlaceholders(engine.db.pool, table, failed);
  return { requests, found: ids.length - missed.length, isWaiting: missed.length > failed.length };
}

/**
 * Gives every unknown id that a run's staged rows refer to a row: fetched from ESI, or a placeholder, so that publishing
 * never waits for it. Safe to repeat. Returns the number of requested ids, and of new types.
 */
export async function resolveReferences({
  engine,
  spec,
  run,
  step,
}: RunContext): Promise<{ requested: number; newTypes: number }> {
  const { pool } = engine.db;
  const unknown = await readUnknownIds(pool, spec, run.runId);
  const requested: Requested = new Map();
  let left = MAX_IDS_PER_RUN;
  for (const table of ['systems', 'types', 'stations'] as const) {
    const ids = unknown[table];
    const { requests } = await resolveIds(engine, table, ids.slice(0, left), step, requested);
    await insertPlaceholders(pool, table, ids.slice(left));
    await countRequests(pool, run.runId, requests);
    left = Math.max(0, left - ids.length);
  }
  await insertStructurePlaceholders(pool, unknown.structures);
  return { requested: MAX_IDS_PER_RUN - left, newTypes: unknown.types.length };
}
