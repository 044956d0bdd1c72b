import { ZodError } from 'zod';
import type { AnyRouteSet } from '../../collectors/define.ts';
import { EsiError } from '../../esi/errors.ts';
import { describeError } from '../../kernel/errors.ts';
import { STATIC_TABLES, type StaticRow, type StaticTableName } from '../../spec/static-tables.ts';
import { readUnknownIds } from '../../store/lookups.ts';
import { countRequests } from '../../store/runs.ts';
import {
  insertPlaceholders,
  insertStructurePlaceholders,
  touchPlaceholder,
  upsertStatic,
} from '../../store/static.ts';
import type { Ports, StepContext } from '../ports.ts';
import { setSpec } from '../set-spec.ts';
import type { RunRef } from '../steps.ts';
import { ESI_SOURCES } from './esi-rows.ts';

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
  ports: Ports,
  table: StaticTableName,
  id: number,
  context: StepContext,
  asked: Asked,
): Promise<Fetched> {
  const key = `${table}/${id}`;
  const earlier = asked.get(key);
  if (earlier) return { ...(await earlier), requests: 0 };
  const asking = fetchStatic(ports, table, id, context, asked);
  asked.set(key, asking);
  return asking;
}

/** Fetches one static row and, where they are unknown, its parents. False: ESI does not know it, or does not answer. */
async function fetchStatic(
  ports: Ports,
  table: StaticTableName,
  id: number,
  context: StepContext,
  asked: Asked,
): Promise<Fetched> {
  const source = ESI_SOURCES[table];
  let requests = 0;
  try {
    const { signal, alive } = context;
    const answer = await ports.esi.get({
      route: source.detail,
      params: { [source.param]: id },
      signal,
      alive,
    });
    requests += answer.requests;
    const row = source.toRow(answer.json, id);
    requests += await fetchParents(ports, table, row, context, asked);
    await ports.db.transaction((client) => upsertStatic(client, table, [row]));
    return { found: true, requests, waiting: false };
  } catch (error) {
    context.signal?.throwIfAborted();
    if (!(error instanceof EsiError || error instanceof ZodError)) throw error;
    if (error instanceof EsiError) requests += error.requests;
    ports.log.info(
      { table, id, error: describeError(error) },
      'an id could not be resolved and gets a placeholder',
    );
    return { found: false, requests, waiting: error instanceof EsiError && error.verdict === 'wait' };
  }
}

async function fetchParents(
  ports: Ports,
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
    const known = await ports.db.pool.query(
      `SELECT FROM ${parent} WHERE "${key}" = $1 AND NOT is_placeholder`,
      [id],
    );
    if (known.rows.length > 0) continue;
    const fetched = await fetchOnce(ports, parent, id, context, asked);
    requests += fetched.requests;
  }
  return requests;
}

/** Fetches what can be had of `ids` and makes placeholders of the rest. Returns the requests it took. */
export async function resolveIds(
  ports: Ports,
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
    const fetched = await Promise.all(batch.map((id) => fetchOnce(ports, table, id, context, asked)));
    const missed = batch.filter((_, i) => !fetched[i]!.found);
    requests += fetched.reduce((n, f) => n + f.requests, 0);
    found += batch.length - missed.length;
    await insertPlaceholders(ports.db.pool, table, missed);
    waiting ||= fetched.some((f) => f.waiting);
    // Whoever was only told to wait was not asked for in vain.
    await touchPlaceholder(
      ports.db.pool,
      table,
      batch.filter((_, i) => !fetched[i]!.found && !fetched[i]!.waiting),
    );
  }
  return { requests, found, waiting };
}

/**
 * Step of a run whose rows name unknown ids: after it each of them has a row, fetched from ESI or a marked
 * placeholder, so that publishing never waits for them. Gives the ids asked, and how many types are new. Safe to repeat.
 */
export async function resolveUnknown(
  ports: Ports,
  set: AnyRouteSet,
  run: RunRef,
  context: StepContext,
): Promise<{ asked: number; types: number }> {
  const spec = setSpec(set, run);
  const unknown = await readUnknownIds(ports.db.pool, spec, run.runId);
  const asked: Asked = new Map();
  let left = ASKED_PER_SET;
  for (const table of ['systems', 'types', 'stations'] as const) {
    const ids = unknown[table];
    const { requests } = await resolveIds(ports, table, ids.slice(0, left), context, asked);
    await insertPlaceholders(ports.db.pool, table, ids.slice(left));
    await countRequests(ports.db.pool, run.runId, requests);
    left = Math.max(0, left - ids.length);
  }
  await insertStructurePlaceholders(ports.db.pool, unknown.structures);
  return { asked: ASKED_PER_SET - left, types: unknown.types.length };
}
