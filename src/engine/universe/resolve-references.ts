import { ZodError } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { describeError } from '../../lib/errors.ts';
import { STATIC_TABLES, type StaticRow, type StaticTableName } from '../../store/universe/static-tables.ts';
import { readUnknownIds } from '../../store/sets/references.ts';
import { countRequests } from '../../store/sets/runs.ts';
import {
  insertPlaceholders,
  insertStructurePlaceholders,
  touchPlaceholder,
  upsertStatic,
} from '../../store/universe/static-rows.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunContext } from '../run/run-context.ts';
import { ESI_SOURCES } from './esi-static-rows.ts';

/**
 * Ids asked of ESI before a set is published. A set names a handful of new ones a week; thousands mean that the
 * universe was never imported, and its import is quicker than asking one by one. The rest become placeholders.
 */
const ASKED_PER_SET = 50;

/** Requests at once while resolving; the client has a ceiling of its own. */
const LANES = 10;

/** What was asked already while ids are resolved: many rows share a group or a system. */
export type Asked = Map<string, Promise<Fetched>>;

/** What became of one id. `waiting`: ESI was not asked, or told us to come later. */
interface Fetched {
  readonly found: boolean;
  readonly requests: number;
  readonly waiting: boolean;
}

/** Fetches one static row, unless it was asked already. */
async function fetchOnce(
  engine: EngineContext,
  table: StaticTableName,
  id: number,
  context: StepContext,
  asked: Asked,
): Promise<Fetched> {
  const key = `${table}/${id}`;
  const earlier = asked.get(key);
  if (earlier) return { ...(await earlier), requests: 0 };
  const asking = fetchStatic(engine, table, id, context, asked);
  asked.set(key, asking);
  return asking;
}

/** Fetches one static row and, where they are unknown, its parents. False: ESI does not know it, or does not answer. */
async function fetchStatic(
  engine: EngineContext,
  table: StaticTableName,
  id: number,
  context: StepContext,
  asked: Asked,
): Promise<Fetched> {
  const source = ESI_SOURCES[table];
  let requests = 0;
  try {
    const { signal, heartbeat } = context;
    const answer = await engine.esi.get({
      route: source.detail,
      params: { [source.param]: id },
      signal,
      heartbeat,
    });
    requests += answer.requests;
    const row = source.toRow(answer.json, id);
    requests += await fetchParents(engine, table, row, context, asked);
    await engine.db.transaction((client) => upsertStatic(client, table, [row]));
    return { found: true, requests, waiting: false };
  } catch (error) {
    context.signal?.throwIfAborted();
    if (!(error instanceof EsiError || error instanceof ZodError)) throw error;
    if (error instanceof EsiError) requests += error.requests;
    engine.log.info(
      { table, id, error: describeError(error) },
      'an id could not be resolved and gets a placeholder',
    );
    return { found: false, requests, waiting: error instanceof EsiError && error.verdict === 'wait' };
  }
}

async function fetchParents(
  engine: EngineContext,
  table: StaticTableName,
  row: StaticRow,
  context: StepContext,
  asked: Asked,
): Promise<number> {
  let requests = 0;
  for (const [column, parent] of STATIC_TABLES[table].parents) {
    const id = row[column];
    if (typeof id !== 'number') continue;
    const { key } = STATIC_TABLES[parent];
    const known = await engine.db.pool.query(
      `SELECT FROM ${parent} WHERE "${key}" = $1 AND NOT is_placeholder`,
      [id],
    );
    if (known.rows.length > 0) continue;
    const fetched = await fetchOnce(engine, parent, id, context, asked);
    requests += fetched.requests;
  }
  return requests;
}

/** Fetches what can be had of `ids` and makes placeholders of the rest. Returns the requests it took. */
export async function resolveIds(
  engine: EngineContext,
  table: StaticTableName,
  ids: readonly number[],
  context: StepContext,
  asked: Asked = new Map(),
): Promise<{ requests: number; found: number; waiting: boolean }> {
  let requests = 0;
  let found = 0;
  let waiting = false;
  for (let start = 0; start < ids.length; start += LANES) {
    const batch = ids.slice(start, start + LANES);
    const fetched = await Promise.all(batch.map((id) => fetchOnce(engine, table, id, context, asked)));
    const missed = batch.filter((_, i) => !fetched[i]!.found);
    requests += fetched.reduce((n, f) => n + f.requests, 0);
    found += batch.length - missed.length;
    await insertPlaceholders(engine.db.pool, table, missed);
    waiting ||= fetched.some((f) => f.waiting);
    // Whoever was only told to wait was not asked for in vain.
    await touchPlaceholder(
      engine.db.pool,
      table,
      batch.filter((_, i) => !fetched[i]!.found && !fetched[i]!.waiting),
    );
  }
  return { requests, found, waiting };
}

/**
 * Gives every unknown id that a run's staged rows refer to a row: fetched from ESI, or a marked placeholder, so that
 * publishing never waits for it. Safe to repeat. Returns the ids requested, and the number of new types.
 */
export async function resolveReferences({
  engine,
  spec,
  run,
  step,
}: RunContext): Promise<{ requested: number; newTypes: number }> {
  const { pool } = engine.db;
  const unknown = await readUnknownIds(pool, spec, run.runId);
  const asked: Asked = new Map();
  let left = ASKED_PER_SET;
  for (const table of ['systems', 'types', 'stations'] as const) {
    const ids = unknown[table];
    const { requests } = await resolveIds(engine, table, ids.slice(0, left), step, asked);
    await insertPlaceholders(pool, table, ids.slice(left));
    await countRequests(pool, run.runId, requests);
    left = Math.max(0, left - ids.length);
  }
  await insertStructurePlaceholders(pool, unknown.structures);
  return { requested: ASKED_PER_SET - left, newTypes: unknown.types.length };
}
