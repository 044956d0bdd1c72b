import type { Pool, PoolClient } from 'pg';
import { STATIC_TABLES, type StaticRow, type StaticTableName } from './static-tables.ts';
import { copyInto, encodeRows } from '../copy.ts';

type Queryable = Pick<Pool | PoolClient, 'query'>;

/** What a person sees where nobody knows a name. */
export const label = (table: StaticTableName) =>
  `unknown ${table.replaceAll('_', ' ').replace(/ies$/, 'y').replace(/s$/, '')}`;

const list = (columns: readonly string[], prefix = '') => columns.map((c) => `${prefix}"${c}"`).join(', ');

/** The columns that travel: the table's own, and whether the source left a gap. */
export const staticColumns = (table: StaticTableName) => [...STATIC_TABLES[table].columns, 'is_placeholder'];

/** A temporary table like the static one, gone with the transaction. */
export async function createStaticStage(
  client: PoolClient,
  table: StaticTableName,
  name: string,
): Promise<void> {
  await client.query(
    `CREATE TEMP TABLE ${name} ON COMMIT DROP AS SELECT ${list(staticColumns(table))} FROM ${table} WITH NO DATA`,
  );
}

export interface MergeCounts {
  inserted: number;
  changed: number;
}

/**
 * Brings rows from `source` (same columns) into a static table: new ones are added, changed ones updated, equal ones
 * not touched. Parents that no source has described yet become placeholders first. A placeholder in the source never
 * overwrites what is known.
 */
export async function mergeStatic(
  client: PoolClient,
  table: StaticTableName,
  source: string,
): Promise<MergeCounts> {
  const { key, columns, parents } = STATIC_TABLES[table];
  for (const [column, parent] of parents) await insertMissingParents(client, source, column, parent);
  const data = [...columns.filter((c) => c !== key), 'is_placeholder'];
  const update = await client.query(
    `UPDATE ${table} t SET ${data.map((c) => `"${c}" = s."${c}"`).join(', ')}, updated_at = now()
       FROM ${source} s WHERE s."${key}" = t."${key}" AND (t.is_placeholder OR NOT s.is_placeholder)
        AND (${list(data, 't.')}) IS DISTINCT FROM (${list(data, 's.')})`,
  );
  const insert = await client.query(
    `INSERT INTO ${table} (${list(staticColumns(table))}) SELECT ${list(staticColumns(table), 's.')} FROM ${source} s
      WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t."${key}" = s."${key}") ON CONFLICT DO NOTHING`,
  );
  return { inserted: insert.rowCount ?? 0, changed: update.rowCount ?? 0 };
}

async function insertMissingParents(
  client: PoolClient,
  source: string,
  column: string,
  parent: StaticTableName,
): Promise<void> {
  const { key } = STATIC_TABLES[parent];
  await client.query(
    `INSERT INTO ${parent} ("${key}", name, is_placeholder)
     SELECT DISTINCT s."${column}", '${label(parent)} ' || s."${column}", true FROM ${source} s
      WHERE s."${column}" IS NOT NULL AND NOT EXISTS (SELECT FROM ${parent} p WHERE p."${key}" = s."${column}")
     ON CONFLICT DO NOTHING`,
  );
}

/** Writes a few static rows at once, e.g. those that live data named. Parents must come first. */
export async function upsertStatic(
  client: PoolClient,
  table: StaticTableName,
  rows: readonly StaticRow[],
): Promise<MergeCounts> {
  const name = `upsert_${table}`;
  await createStaticStage(client, table, name);
  await copyInto(client, name, staticColumns(table), [encodeRows(staticColumns(table), rows.map(withFlag))]);
  const counts = await mergeStatic(client, table, name);
  await client.query(`DROP TABLE ${name}`);
  return counts;
}

export const withFlag = (row: StaticRow): StaticRow => ({ is_placeholder: false, ...row });

/** Marks ids as named by live data and described by nobody; what is known stays. */
export async function insertPlaceholders(
  db: Queryable,
  table: StaticTableName,
  ids: readonly number[],
): Promise<void> {
  const { key } = STATIC_TABLES[table];
  await db.query(
    `INSERT INTO ${table} ("${key}", name, is_placeholder)
     SELECT id, '${label(table)} ' || id, true FROM unnest($1::bigint[]) AS id ON CONFLICT DO NOTHING`,
    [ids],
  );
}

/** Player structures cannot be asked for without a character that may dock there: a placeholder stands meanwhile. */
export async function insertStructurePlaceholders(
  db: Queryable,
  structures: readonly { readonly id: number; readonly systemId: number | undefined }[],
): Promise<void> {
  await db.query(
    `INSERT INTO structures (structure_id, system_id, name, is_placeholder)
     SELECT s.id, (SELECT system_id FROM systems WHERE system_id = s.system), 'unknown structure ' || s.id, true
       FROM unnest($1::bigint[], $2::bigint[]) AS s (id, system) ON CONFLICT DO NOTHING`,
    [structures.map((s) => s.id), structures.map((s) => s.systemId ?? null)],
  );
}

/** Rows that are still placeholders, oldest first. */
export async function readPlaceholders(
  db: Queryable,
  table: StaticTableName,
  limit: number,
): Promise<number[]> {
  const { key } = STATIC_TABLES[table];
  const { rows } = await db.query<{ id: number }>(
    `SELECT "${key}" AS id FROM ${table} WHERE is_placeholder ORDER BY updated_at, 1 LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.id);
}

/** A placeholder that was asked for in vain goes to the end of the queue. */
export async function touchPlaceholder(
  db: Queryable,
  table: StaticTableName,
  ids: readonly number[],
): Promise<void> {
  const { key } = STATIC_TABLES[table];
  await db.query(
    `UPDATE ${table} SET updated_at = now() WHERE is_placeholder AND "${key}" = ANY($1::bigint[])`,
    [ids],
  );
}
