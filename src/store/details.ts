import type { Pool, PoolClient } from 'pg';
import type { Detail } from '../spec/vocabulary.ts';
import { list, within } from './merge.sql.ts';
import { type SetSpec, stageTable } from './sets.ts';
import { hasStage } from './stage.ts';

/** What another route told of one row: the columns that it fills. */
export interface DetailRow {
  readonly id: number;
  readonly [column: string]: number | string | null;
}

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
  if (runs.previousRun !== undefined && (await hasStage(db, runs.previousRun)))
    sources.push(
      `SELECT s.* FROM ${stageTable(runs.previousRun)} s WHERE NOT s.rejected AND s.page = ANY
        (ARRAY(SELECT page FROM stage.pages WHERE run_id = ${runs.runId} AND not_modified))`,
    );
  const { rows } = await db.query<{ id: number }>(
    `SELECT DISTINCT ${key} AS id FROM (${sources.join(' UNION ALL ')}) s WHERE ${WANTED[detail.rows]} ORDER BY 1`,
  );
  return rows.map((row) => row.id);
}

/** The row of no item: everything that was wanted has been asked. */
const ALL = 0;

export async function hasDetails(db: Pick<Pool, 'query'>, runId: number): Promise<boolean> {
  const { rows } = await db.query('SELECT FROM stage.details WHERE run_id = $1 AND id = $2', [runId, ALL]);
  return rows.length > 0;
}

export async function closeDetails(db: Pick<Pool, 'query'>, runId: number): Promise<void> {
  await db.query('INSERT INTO stage.details (run_id, id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    runId,
    ALL,
  ]);
}

/**
 * Keeps what a batch was told until the set is published. `silent`: ids that were asked for and not answered; of these
 * what is known already stays. Rows are taken in the order of their ids, so that no two batches wait for each other.
 */
export async function keepDetails(
  db: Pick<Pool, 'query'>,
  spec: SetSpec,
  runId: number,
  columns: readonly string[],
  { told, silent }: { readonly told: readonly DetailRow[]; readonly silent: readonly number[] },
): Promise<void> {
  await db.query(
    `INSERT INTO stage.details (run_id, id, ${list(columns)})
     SELECT $1::bigint, id, ${list(columns)} FROM json_populate_recordset(NULL::stage.details, $2)
     UNION ALL
     SELECT $1::bigint, b."${spec.key[0]}", ${list(columns, 'b.')} FROM ${spec.table} b
      WHERE ${within(spec, 'b')} AND b."${spec.key[0]}" = ANY($3) ORDER BY 2
     ON CONFLICT (run_id, id) DO UPDATE SET ${columns.map((c) => `"${c}" = excluded."${c}"`).join(', ')}`,
    [runId, JSON.stringify(told), silent],
  );
}

const columnsOf = (spec: SetSpec) => spec.columns.filter((c) => c === 'name' || c.startsWith('position_'));

/**
 * Whether what was told differs from what the published rows say. Row by row through the key: a join that may stop at its
 * first row is planned by how many rows the owner seems to have, and of a new owner nothing is known.
 */
export async function detailsDiffer(db: Pick<Pool, 'query'>, spec: SetSpec, runId: number): Promise<boolean> {
  const columns = columnsOf(spec);
  const { rows } = await db.query(
    `SELECT FROM stage.details d
      CROSS JOIN LATERAL (SELECT ${list(columns)} FROM ${spec.table} b
                           WHERE b."${spec.key[0]}" = d.id AND ${within(spec, 'b')} LIMIT 1) b
      WHERE d.run_id = $1 AND (${list(columns, 'd.')}) IS DISTINCT FROM (${list(columns, 'b.')}) LIMIT 1`,
    [runId],
  );
  return rows.length > 0;
}

/** Fills the staged rows with what was told of them. False where that is not known whole. */
export async function applyDetails(client: PoolClient, spec: SetSpec, runId: number): Promise<boolean> {
  if (!(await hasDetails(client, runId))) return false;
  const columns = columnsOf(spec);
  await client.query(
    `UPDATE ${stageTable(runId)} s SET ${columns.map((c) => `"${c}" = d."${c}"`).join(', ')} FROM stage.details d
      WHERE d.run_id = $1 AND s."${spec.key[0]}" = d.id
        AND (${list(columns, 's.')}) IS DISTINCT FROM (${list(columns, 'd.')})`,
    [runId],
  );
  return true;
}
