import type { Pool } from 'pg';
import { AppError } from '../../lib/errors.ts';
import { STATIC_TABLE_NAMES, type StaticRow, type StaticTableName } from './static-tables.ts';
import { copyInto, encodeRows } from '../copy.ts';
import type { Database } from '../database.ts';
import { type MergeCounts, mergeStatic, staticColumns, withFlag } from './static-rows.ts';

/** One detail to fetch. */
export interface ImportItem {
  readonly table: StaticTableName;
  readonly id: number;
}

type Queryable = Pick<Pool, 'query'>;

/** Unlogged, as all staging: a crash of the server begins the import anew. */
const importItemsTable = (runId: number) => `stage.r${runId}_units`;
const rowsTable = (runId: number, table: StaticTableName) => `stage.r${runId}_${table}`;

export async function hasImportItems(db: Queryable, runId: number): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS found`, [
    importItemsTable(runId),
  ]);
  return rows[0]?.found ?? false;
}

export async function createImportItems(
  db: Database,
  runId: number,
  units: readonly ImportItem[],
): Promise<void> {
  await db.transaction(async (client) => {
    await client.query(
      `CREATE UNLOGGED TABLE ${importItemsTable(runId)} ("table" text, id bigint, done boolean NOT NULL DEFAULT false,
       PRIMARY KEY ("table", id))`,
    );
    for (const table of STATIC_TABLE_NAMES) {
      const columns = staticColumns(table).map((c) => `"${c}"`);
      await client.query(
        `CREATE UNLOGGED TABLE ${rowsTable(runId, table)} AS SELECT ${columns.join(', ')} FROM ${table} WITH NO DATA`,
      );
    }
    const distinct = [...new Map(units.map((u) => [`${u.table}/${u.id}`, u])).values()];
    await copyInto(
      client,
      importItemsTable(runId),
      ['table', 'id'],
      [encodeRows(['table', 'id'], distinct as unknown as Record<string, unknown>[])],
    );
  });
}

export async function addImportItems(
  db: Queryable,
  runId: number,
  units: readonly ImportItem[],
): Promise<void> {
  if (units.length === 0) return;
  await db.query(
    `INSERT INTO ${importItemsTable(runId)} ("table", id) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING`,
    [units.map((u) => u.table), units.map((u) => u.id)],
  );
}

export async function takeImportItems(db: Queryable, runId: number, limit: number): Promise<ImportItem[]> {
  const { rows } = await db.query<ImportItem>(
    `SELECT "table", id FROM ${importItemsTable(runId)} WHERE NOT done ORDER BY "table", id LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Stages the rows of fetched units and marks these as done, in one transaction. Throws AppError TWIN. */
export async function finishImportItems(
  db: Database,
  runId: number,
  units: readonly ImportItem[],
  rows: ReadonlyMap<StaticTableName, readonly StaticRow[]>,
): Promise<void> {
  await db.transaction(async (client) => {
    const { rowCount } = await client.query(
      `UPDATE ${importItemsTable(runId)} u SET done = true FROM unnest($1::text[], $2::bigint[]) AS f ("table", id)
        WHERE u."table" = f."table" AND u.id = f.id AND NOT u.done`,
      [units.map((u) => u.table), units.map((u) => u.id)],
    );
    if (rowCount !== units.length) throw twin();
    for (const [table, found] of rows) {
      const columns = staticColumns(table);
      await copyInto(client, rowsTable(runId, table), columns, [encodeRows(columns, found.map(withFlag))]);
    }
  });
}

export async function countImportItems(
  db: Queryable,
  runId: number,
): Promise<{ done: number; total: number }> {
  const { rows } = await db.query<{ done: number; total: number }>(
    `SELECT count(*) FILTER (WHERE done) AS done, count(*) AS total FROM ${importItemsTable(runId)}`,
  );
  return rows[0] ?? { done: 0, total: 0 };
}

/** Brings all staged rows into the static tables; the caller's transaction makes it one. */
export async function mergeImportItems(
  client: Parameters<typeof mergeStatic>[0],
  runId: number,
): Promise<MergeCounts> {
  const total: MergeCounts = { inserted: 0, changed: 0 };
  for (const table of STATIC_TABLE_NAMES) {
    const counts = await mergeStatic(client, table, rowsTable(runId, table));
    total.inserted += counts.inserted;
    total.changed += counts.changed;
  }
  return total;
}

export async function dropImportItems(db: Queryable, runId: number): Promise<void> {
  const tables = [importItemsTable(runId), ...STATIC_TABLE_NAMES.map((table) => rowsTable(runId, table))];
  await db.query(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
}

/** Runs that were closed in the middle of an import and left their units behind, the newest first. */
async function readOldImports(db: Queryable, runId: number): Promise<number[]> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT DISTINCT r.run_id FROM pg_class c JOIN collection_runs r ON c.relname = 'r' || r.run_id || '_units'
      WHERE c.relnamespace = 'stage'::regnamespace AND r.run_id < $1 AND r.finished_at IS NOT NULL ORDER BY 1 DESC`,
    [runId],
  );
  return rows.map((row) => row.run_id);
}

/** Lets go of the units of runs that were closed in the middle. */
export async function dropOldImportItems(db: Queryable, runId: number): Promise<void> {
  for (const old of await readOldImports(db, runId)) await dropImportItems(db, old);
}

/** Takes over the units of the newest run that was closed in the middle: half a day of requests is not thrown away. */
export async function adoptImportItems(db: Database, runId: number): Promise<void> {
  const [newest, ...older] = await readOldImports(db.pool, runId);
  for (const old of older) await dropImportItems(db.pool, old);
  if (newest === undefined) return;
  await db.transaction(async (client) => {
    const tables = ['units', ...STATIC_TABLE_NAMES];
    for (const table of tables) {
      await client.query(`ALTER TABLE stage.r${newest}_${table} RENAME TO r${runId}_${table}`);
    }
    await client.query(
      `UPDATE collection_runs r SET last_modified = o.last_modified, expires = o.expires
         FROM collection_runs o WHERE r.run_id = $1 AND o.run_id = $2`,
      [runId, newest],
    );
  });
}

/** A twin that was thought dead has staged some of these: rolled back, what is left comes again. */
const twin = () =>
  new AppError('Two imports worked on the same rows; this one steps back.', {
    code: 'TWIN',
    verdict: 'retry',
  });
