import type { PoolClient } from 'pg';
import type { ExactInt } from '../../lib/exact-int.ts';
import { copyInto, encodeRows } from '../copy.ts';
import type { Queryable } from '../database.ts';
import { assignments, columnList, differ, sameKey } from '../sql-fragments.ts';
import { placeholderLabel, STATIC_TABLES, type StaticRow, type StaticTableName } from './static-tables.ts';

/** The columns that an import writes: those of the source, and whether the row is a placeholder. */
export const importColumns = (table: StaticTableName) => [...STATIC_TABLES[table].columns, 'is_placeholder'];

/** Rows as lines of COPY. Rows that do not say so are no placeholders. */
export const encodeStaticRows = (table: StaticTableName, rows: readonly StaticRow[]): string =>
  encodeRows(
    importColumns(table),
    rows.map((row) => ({ is_placeholder: false, ...row })),
  );

/** Creates a temporary table with the imported columns of a static table. The transaction drops it. */
export async function createStaticStage(
  client: PoolClient,
  table: StaticTableName,
  name: string,
): Promise<void> {
  await client.query(
    `CREATE TEMP TABLE ${name} ON COMMIT DROP AS SELECT ${columnList(importColumns(table))} FROM ${table} WITH NO DATA`,
  );
}

/** Counts of rows that a merge wrote. */
export interface MergeCounts {
  inserted: number;
  changed: number;
}

/**
 * Merges rows from `source` (same columns) into a static table: inserts new rows, updates changed ones and leaves equal
 * ones untouched. Missing parents become placeholders first. A placeholder in the source overwrites only placeholders.
 */
export async function mergeStatic(
  client: PoolClient,
  table: StaticTableName,
  source: string,
): Promise<MergeCounts> {
  const { key, columns, parents } = STATIC_TABLES[table];
  for (const [column, parent] of parents) await insertMissingParents(client, source, column, parent);
  const data = [...columns.filter((column) => column !== key), 'is_placeholder'];
  const update = await client.query(
    `UPDATE ${table} t SET ${assignments(data, 's')}, updated_at = now()
       FROM ${source} s WHERE ${sameKey([key], 's', 't')} AND (t.is_placeholder OR NOT s.is_placeholder)
        AND ${differ(data, 't', 's')}`,
  );
  const insert = await client.query(
    `INSERT INTO ${table} (${columnList(importColumns(table))})
     SELECT ${columnList(importColumns(table), 's.')} FROM ${source} s
      WHERE NOT EXISTS (SELECT FROM ${table} t WHERE ${sameKey([key], 't', 's')}) ON CONFLICT DO NOTHING`,
  );
  return { inserted: insert.rowCount ?? 0, changed: update.rowCount ?? 0 };
}

/** Known rows of a static table, and those of them that neither `source` nor `others` list. Placeholders do not count. */
export async function countAbsentRows(
  client: PoolClient,
  table: StaticTableName,
  source: string,
  others: readonly number[],
): Promise<{ known: number; absent: number }> {
  const { key } = STATIC_TABLES[table];
  const known = `SELECT "${key}" FROM ${table} WHERE NOT is_placeholder`;
  const { rows } = await client.query<{ known: number; absent: number }>(
    `SELECT (SELECT count(*) FROM (${known}) k) AS known,
            (SELECT count(*) FROM (${known} EXCEPT SELECT "${key}" FROM ${source} EXCEPT SELECT unnest($1::bigint[])) a) AS absent`,
    [others],
  );
  return rows[0]!;
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
     SELECT DISTINCT s."${column}", $1::text || ' ' || s."${column}", true FROM ${source} s
      WHERE s."${column}" IS NOT NULL AND NOT EXISTS (SELECT FROM ${parent} p WHERE p."${key}" = s."${column}")
     ON CONFLICT DO NOTHING`,
    [placeholderLabel(parent)],
  );
}

/** Writes one static row. Parents must come first. */
export async function upsertStatic(
  client: PoolClient,
  table: StaticTableName,
  row: StaticRow,
): Promise<MergeCounts> {
  const name = `upsert_${table}`;
  await createStaticStage(client, table, name);
  await copyInto(client, name, importColumns(table), [encodeStaticRows(table, [row])]);
  return mergeStatic(client, table, name);
}

/** Inserts placeholders for ids that other data refers to. Existing rows are not changed. */
export async function insertPlaceholders(
  db: Queryable,
  table: StaticTableName,
  ids: readonly number[],
): Promise<void> {
  await db.query(
    `INSERT INTO ${table} ("${STATIC_TABLES[table].key}", name, is_placeholder)
     SELECT id, $2::text || ' ' || id, true FROM unnest($1::bigint[]) AS id ON CONFLICT DO NOTHING`,
    [ids, placeholderLabel(table)],
  );
}

/** Inserts placeholders for player structures, which can only be requested with a character that has access. */
export async function insertStructurePlaceholders(
  db: Queryable,
  structures: readonly { readonly id: ExactInt; readonly systemId: number | undefined }[],
): Promise<void> {
  await db.query(
    `INSERT INTO structures (structure_id, system_id, name, is_placeholder)
     SELECT s.id, (SELECT system_id FROM systems WHERE system_id = s.system), $3::text || ' ' || s.id, true
       FROM unnest($1::bigint[], $2::bigint[]) AS s (id, system) ON CONFLICT DO NOTHING`,
    [
      structures.map(({ id }) => id),
      structures.map(({ systemId }) => systemId ?? null),
      placeholderLabel('structures'),
    ],
  );
}

/** Ids of placeholders, those first that were requested longest ago. */
export async function readPlaceholders(
  db: Queryable,
  table: StaticTableName,
  limit: number,
): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `SELECT "${STATIC_TABLES[table].key}" AS id FROM ${table} WHERE is_placeholder ORDER BY updated_at, 1 LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.id);
}

/** Moves placeholders that were requested without success to the end of the queue. */
export async function touchPlaceholders(
  db: Queryable,
  table: StaticTableName,
  ids: readonly number[],
): Promise<void> {
  await db.query(
    `UPDATE ${table} SET updated_at = now() WHERE is_placeholder AND "${STATIC_TABLES[table].key}" = ANY($1::bigint[])`,
    [ids],
  );
}

/** All ids of a static table, in order. */
export async function readStaticIds(db: Queryable, table: StaticTableName): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `SELECT "${STATIC_TABLES[table].key}" AS id FROM ${table} ORDER BY 1`,
  );
  return rows.map((row) => row.id);
}

/** The names of all regions by id, in order; none before the universe is imported, when only some have a row. */
export async function readImportedRegions(db: Queryable): Promise<Map<number, string>> {
  const { rows } = await db.query<{ id: number; name: string }>(
    `SELECT region_id AS id, name FROM regions
      WHERE EXISTS (SELECT FROM published_sets WHERE collector = 'universe' AND run_id > 0) ORDER BY 1`,
  );
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** Whether an id has a row: with its data, as a placeholder, or not at all. */
export async function readRowState(
  db: Queryable,
  table: StaticTableName,
  id: number,
): Promise<'known' | 'placeholder' | 'missing'> {
  const { rows } = await db.query<{ is_placeholder: boolean }>(
    `SELECT is_placeholder FROM ${table} WHERE "${STATIC_TABLES[table].key}" = $1`,
    [id],
  );
  const [row] = rows;
  if (!row) return 'missing';
  return row.is_placeholder ? 'placeholder' : 'known';
}
