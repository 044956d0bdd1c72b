import type { Pool, PoolClient } from 'pg';
import { type Enrichment, ENRICHED_COLUMNS } from '../../collectors/vocabulary.ts';
import { list, within } from './merge.sql.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';
import { hasStage } from './stage.ts';

/** What another route told of one row: the columns that it fills. */
export interface EnrichmentRow {
  readonly id: number;
  readonly [column: string]: number | string | null;
}

/** Ships (category) and cargo, secure, audit-log and freight containers (groups): what a player can name. */
const NAMEABLE = `s.is_singleton AND EXISTS (
  SELECT FROM types t JOIN groups g USING (group_id)
   WHERE t.type_id = s.type_id AND (g.category_id = 6 OR g.group_id IN (12, 340, 448, 649)))`;

const WANTED: Readonly<Record<Enrichment['rows'], string>> = {
  nameable: NAMEABLE,
  'in-space': `s.location_type = 'solar_system'`,
};

/**
 * The ids of the rows of a set that a detail is still to be asked for; rows of pages that answered 304 are those of the
 * last set.
 */
export async function readRowsToEnrich(
  db: Pick<Pool, 'query'>,
  spec: SnapshotSpec,
  detail: Enrichment,
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
    `SELECT DISTINCT ${key} AS id FROM (${sources.join(' UNION ALL ')}) s
      WHERE ${WANTED[detail.rows]}
        AND NOT EXISTS (SELECT FROM stage.details d
                         WHERE d.run_id = ${runs.runId} AND d.detail = '${detail.fills}' AND d.id = ${key}) ORDER BY 1`,
  );
  return rows.map((row) => row.id);
}

/** Whether everything that was wanted of the run's rows has been asked. */
export async function isEnriched(db: Pick<Pool, 'query'>, runId: number): Promise<boolean> {
  const { rows } = await db.query('SELECT FROM stage.detail_readings WHERE run_id = $1 AND closed', [runId]);
  return rows.length > 0;
}

/** Begins to ask for the run's pages as they were read now, or goes on with it. Gives the reading's name. */
export async function openEnrichment(db: Pick<Pool, 'query'>, runId: number): Promise<string> {
  const { rows } = await db.query<{ reading: string }>(
    `INSERT INTO stage.detail_readings AS r (run_id) VALUES ($1)
     ON CONFLICT (run_id) DO UPDATE SET closed = r.closed RETURNING reading`,
    [runId],
  );
  return rows[0]!.reading;
}

/** Everything of a reading has been asked. Whoever is late, when pages have been read again since, closes nothing. */
export async function closeEnrichment(db: Pick<Pool, 'query'>, runId: number, reading: string): Promise<void> {
  await db.query('UPDATE stage.detail_readings SET closed = true WHERE run_id = $1 AND reading = $2', [
    runId,
    reading,
  ]);
}

/**
 * Keeps what a batch was told until the set is published. `silent`: ids that were asked for and not answered; of these
 * what is known already stays. Rows are taken in the order of their ids, so that no two batches wait for each other.
 */
export async function storeEnrichments(
  db: Pick<Pool, 'query'>,
  spec: SnapshotSpec,
  runId: number,
  { fills }: Enrichment,
  { told, silent }: { readonly told: readonly EnrichmentRow[]; readonly silent: readonly number[] },
): Promise<void> {
  const columns = ENRICHED_COLUMNS[fills];
  await db.query(
    `INSERT INTO stage.details (run_id, detail, id, ${list(columns)})
     SELECT $1::bigint, '${fills}', id, ${list(columns)} FROM json_populate_recordset(NULL::stage.details, $2)
     UNION ALL
     SELECT $1::bigint, '${fills}', i.id, ${list(columns, 'b.')} FROM unnest($3::bigint[]) AS i (id)
       LEFT JOIN ${spec.table} b ON b."${spec.key[0]}" = i.id AND ${within(spec, 'b')} ORDER BY 3
     ON CONFLICT (run_id, detail, id) DO UPDATE SET ${columns.map((c) => `"${c}" = excluded."${c}"`).join(', ')}`,
    [runId, JSON.stringify(told), silent],
  );
}

/** What a detail told of `d` that is not so in `other`. */
const differs = ({ fills }: Enrichment, other: string) =>
  `(${list(ENRICHED_COLUMNS[fills], 'd.')}) IS DISTINCT FROM (${list(ENRICHED_COLUMNS[fills], other)})`;

/**
 * Whether what was told differs from what the published rows say. Row by row through the key: a join that may stop at its
 * first row is planned by how many rows the owner seems to have, and of a new owner nothing is known.
 */
export async function enrichmentsDiffer(db: Pick<Pool, 'query'>, spec: SnapshotSpec, runId: number): Promise<boolean> {
  const columns = spec.details.flatMap(({ fills }) => ENRICHED_COLUMNS[fills]);
  const other = spec.details.map((detail) => `d.detail = '${detail.fills}' AND ${differs(detail, 'b.')}`);
  const { rows } = await db.query(
    `SELECT FROM stage.details d
      CROSS JOIN LATERAL (SELECT ${list(columns)} FROM ${spec.table} b
                           WHERE b."${spec.key[0]}" = d.id AND ${within(spec, 'b')} LIMIT 1) b
      WHERE d.run_id = $1 AND (${other.join(' OR ')}) LIMIT 1`,
    [runId],
  );
  return rows.length > 0;
}

/** Fills the staged rows with what was told of them. False where not everything has been asked. */
export async function applyEnrichments(client: PoolClient, spec: SnapshotSpec, runId: number): Promise<boolean> {
  if (!(await isEnriched(client, runId))) return false;
  for (const detail of spec.details) {
    const set = ENRICHED_COLUMNS[detail.fills].map((c) => `"${c}" = d."${c}"`).join(', ');
    await client.query(
      `UPDATE ${stageTable(runId)} s SET ${set} FROM stage.details d
        WHERE d.run_id = $1 AND d.detail = '${detail.fills}' AND s."${spec.key[0]}" = d.id AND ${differs(detail, 's.')}`,
      [runId],
    );
  }
  return true;
}
