import type { PoolClient } from 'pg';
import { AppError } from '../../lib/errors.ts';
import { copyInto, encodeRows } from '../copy.ts';
import type { Database, Queryable } from '../database.ts';
import { columnList } from '../sql-fragments.ts';
import { encodeStaticRows, importColumns, type MergeCounts, mergeStatic } from './static-rows.ts';
import { STATIC_TABLE_NAMES, type StaticRow, type StaticTableName } from './static-tables.ts';

/** A row of a static table that an import has to request. */
export interface ImportItem {
  readonly table: StaticTableName;
  readonly id: number;
}

/** The staging tables of an import are unlogged, so a crash of the database server restarts the import. */
const itemsTable = (runId: number) => `stage.r${runId}_import_items`;
const rowsTable = (runId: number, table: StaticTableName) => `stage.r${runId}_${table}`;

/** Whether a run has listed its items. */
export async function hasImportItems(db: Queryable, runId: number): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS found`, [
    itemsTable(runId),
  ]);
  return rows[0]?.found ?? false;
}

/** Creates the staging tables of an import with its items. */
export async function createImportItems(
  db: Database,
  runId: number,
  items: readonly ImportItem[],
): Promise<void> {
  await db.transaction(async (client) => {
    await client.query(
      `CREATE UNLOGGED TABLE ${itemsTable(runId)} ("table" text, id bigint, done boolean NOT NULL DEFAULT false,
       PRIMARY KEY ("table", id))`,
    );
    for (const table of STATIC_TABLE_NAMES)
      await client.query(
        `CREATE UNLOGGED TABLE ${rowsTable(runId, table)} AS
         SELECT ${columnList(importColumns(table))} FROM ${table} WITH NO DATA`,
      );
    const distinct = [...new Map(items.map(({ table, id }) => [`${table}/${id}`, { table, id }])).values()];
    await copyInto(client, itemsTable(runId), ['table', 'id'], [encodeRows(['table', 'id'], distinct)]);
  });
}

/** Adds items that became known during the import. */
export async function addImportItems(
  db: Queryable,
  runId: number,
  items: readonly ImportItem[],
): Promise<void> {
  if (items.length === 0) return;
  await db.query(
    `INSERT INTO ${itemsTable(runId)} ("table", id) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING`,
    [items.map(({ table }) => table), items.map(({ id }) => id)],
  );
}

/** Reads items that are not done. */
export async function readOpenImportItems(
  db: Queryable,
  runId: number,
  limit: number,
): Promise<ImportItem[]> {
  const { rows } = await db.query<ImportItem>(
    `SELECT "table", id FROM ${itemsTable(runId)} WHERE NOT done ORDER BY "table", id LIMIT $1`,
    [limit],
  );
  return rows;
}

/**
 * Stages the rows of items and marks the items as done, in one transaction. Throws AppError TWIN when another process
 * that was thought dead has done some of them; after the rollback the others are read again.
 */
export async function completeImportItems(
  db: Database,
  runId: number,
  items: readonly ImportItem[],
  rows: ReadonlyMap<StaticTableName, readonly StaticRow[]>,
): Promise<void> {
  await db.transaction(async (client) => {
    const { rowCount } = await client.query(
      `UPDATE ${itemsTable(runId)} i SET done = true FROM unnest($1::text[], $2::bigint[]) AS f ("table", id)
        WHERE i."table" = f."table" AND i.id = f.id AND NOT i.done`,
      [items.map(({ table }) => table), items.map(({ id }) => id)],
    );
    if (rowCount !== items.length)
      throw new AppError('Two imports worked on the same rows. This one stops.', {
        code: 'TWIN',
        verdict: 'retry',
      });
    for (const [table, found] of rows)
      await copyInto(client, rowsTable(runId, table), importColumns(table), [encodeStaticRows(table, found)]);
  });
}

/** The progress of an import. */
export async function countImportItems(
  db: Queryable,
  runId: number,
): Promise<{ done: number; total: number }> {
  const { rows } = await db.query<{ done: number; total: number }>(
    `SELECT count(*) FILTER (WHERE done) AS done, count(*) AS total FROM ${itemsTable(runId)}`,
  );
  return rows[0] ?? { done: 0, total: 0 };
}

/** Merges all staged rows into the static tables, within the caller's transaction. */
export async function mergeImportItems(client: PoolClient, runId: number): Promise<MergeCounts> {
  const total: MergeCounts = { inserted: 0, changed: 0 };
  for (const table of STATIC_TABLE_NAMES) {
    const counts = await mergeStatic(client, table, rowsTable(runId, table));
    total.inserted += counts.inserted;
    total.changed += counts.changed;
  }
  return total;
}

export async function dropImportItems(db: Queryable, runId: number): Promise<void> {
  const tables = [itemsTable(runId), ...STATIC_TABLE_NAMES.map((table) => rowsTable(runId, table))];
  await db.query(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
}

/** Earlier runs that were closed during their import, the newest first. */
async function readUnfinishedImports(db: Queryable, runId: number): Promise<number[]> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT DISTINCT r.run_id FROM pg_class c JOIN collection_runs r ON c.relname = 'r' || r.run_id || '_import_items'
      WHERE c.relnamespace = 'stage'::regnamespace AND r.run_id < $1 AND r.finished_at IS NOT NULL ORDER BY 1 DESC`,
    [runId],
  );
  return rows.map((row) => row.run_id);
}

/** Drops the items of earlier runs that were closed during their import. */
export async function dropUnfinishedImports(db: Queryable, runId: number): Promise<void> {
  for (const old of await readUnfinishedImports(db, runId)) await dropImportItems(db, old);
}

/** Takes over the items of the newest unfinished import, because they may stand for half a day of requests. */
export async function adoptImportItems(db: Database, runId: number): Promise<void> {
  const [newest, ...older] = await readUnfinishedImports(db.pool, runId);
  for (const old of older) await dropImportItems(db.pool, old);
  if (newest === undefined) return;
  await db.transaction(async (client) => {
    for (const suffix of ['import_items', ...STATIC_TABLE_NAMES])
      await client.query(`ALTER TABLE stage.r${newest}_${suffix} RENAME TO r${runId}_${suffix}`);
    await client.query(
      `UPDATE collection_runs r SET last_modified = o.last_modified, expires = o.expires
         FROM collection_runs o WHERE r.run_id = $1 AND o.run_id = $2`,
      [runId, newest],
    );
  });
}
