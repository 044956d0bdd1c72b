import type { Pool, PoolClient } from 'pg';
import type { Detail } from '../spec/vocabulary.ts';
import { copyInto, encodeRows } from './copy.ts';
import type { Database } from './database.ts';
import { list, within } from './merge.sql.ts';
import { detailsTable, type SetSpec, stageTable } from './sets.ts';

/** What other routes told of one row. */
export type DetailRow = Readonly<Record<string, number | string | null>>;

/** Ships (category) and cargo, secure, audit-log and freight containers (groups): what a player can name. */
const NAMEABLE = `s.is_singleton AND EXISTS (
  SELECT FROM types t JOIN groups g USING (group_id)
   WHERE t.type_id = s.type_id AND (g.category_id = 6 OR g.group_id IN (12, 340, 448, 649)))`;

const WANTED: Readonly<Record<Detail['rows'], string>> = {
  nameable: NAMEABLE,
  'in-space': `s.location_type = 'solar_system'`,
};

/** The ids of the rows of a set that a detail is asked for; rows of pages that answered 304 are those of the last set. */
export async function readWanted(
  db: Pick<Pool, 'query'>,
  spec: SetSpec,
  detail: Detail,
  runs: { readonly runId: number; readonly previousRun: number | undefined },
): Promise<number[]> {
  const key = `s."${spec.key[0]}"`;
  const sources = [`SELECT s.* FROM ${stageTable(runs.runId)} s WHERE NOT s.rejected`];
  // As an array, not IN: nothing is known of a stage, and Postgres may read it once for each page.
  if (runs.previousRun !== undefined && (await stands(db, stageTable(runs.previousRun))))
    sources.push(
      `SELECT s.* FROM ${stageTable(runs.previousRun)} s WHERE NOT s.rejected AND s.page = ANY
        (ARRAY(SELECT page FROM stage.pages WHERE run_id = ${runs.runId} AND not_modified))`,
    );
  const { rows } = await db.query<{ id: number }>(
    `SELECT DISTINCT ${key} AS id FROM (${sources.join(' UNION ALL ')}) s WHERE ${WANTED[detail.rows]} ORDER BY 1`,
  );
  return rows.map((row) => row.id);
}

async function stands(db: Pick<Pool, 'query'>, table: string): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS found`, [table]);
  return rows[0]?.found ?? false;
}

export const hasDetails = (db: Pick<Pool, 'query'>, runId: number) => stands(db, detailsTable(runId));

const columnsOf = (spec: SetSpec) => spec.columns.filter((c) => c === 'name' || c.startsWith('position_'));

/**
 * Keeps what was told until the set is published, in one transaction. `silent`: ids that were asked for and not
 * answered; of these what is known already stays. Whoever comes second finds it done.
 */
export async function keepDetails(
  db: Database,
  spec: SetSpec,
  runId: number,
  rows: readonly DetailRow[],
  silent: readonly number[],
): Promise<void> {
  const key = spec.key[0]!;
  const columns = [key, ...columnsOf(spec)];
  const table = detailsTable(runId);
  await db.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [runId]);
    if (await stands(client, table)) return;
    await client.query(
      `CREATE UNLOGGED TABLE ${table} WITH (autovacuum_enabled = false) AS SELECT ${list(columns)} FROM ${spec.table} WITH NO DATA`,
    );
    await copyInto(client, table, columns, [encodeRows(columns, rows)]);
    await client.query(
      `INSERT INTO ${table} SELECT ${list(columns)} FROM ${spec.table} b WHERE ${within(spec, 'b')} AND b."${key}" = ANY($1)`,
      [silent],
    );
  });
}

/**
 * Whether what was told differs from what the published rows say. Row by row through the key: a join that may stop at its
 * first row is planned by how many rows the owner seems to have, and of a new owner nothing is known.
 */
export async function detailsDiffer(db: Pick<Pool, 'query'>, spec: SetSpec, runId: number): Promise<boolean> {
  const columns = columnsOf(spec);
  const { rows } = await db.query(
    `SELECT FROM ${detailsTable(runId)} d
      CROSS JOIN LATERAL (SELECT ${list(columns)} FROM ${spec.table} b
                           WHERE b."${spec.key[0]}" = d."${spec.key[0]}" AND ${within(spec, 'b')} LIMIT 1) b
      WHERE (${list(columns, 'd.')}) IS DISTINCT FROM (${list(columns, 'b.')}) LIMIT 1`,
  );
  return rows.length > 0;
}

/** Fills the staged rows with what was told of them, and forgets it: both come to pass with the publication alone. */
export async function applyDetails(client: PoolClient, spec: SetSpec, runId: number): Promise<void> {
  if (!(await hasDetails(client, runId))) return;
  const set = columnsOf(spec).map((c) => `"${c}" = d."${c}"`);
  await client.query(
    `UPDATE ${stageTable(runId)} s SET ${set.join(', ')} FROM ${detailsTable(runId)} d
      WHERE s."${spec.key[0]}" = d."${spec.key[0]}" AND (${list(columnsOf(spec), 's.')}) IS DISTINCT FROM (${list(columnsOf(spec), 'd.')})`,
  );
  await client.query(`DROP TABLE ${detailsTable(runId)}`);
}
