import type { PoolClient } from 'pg';
import { ENRICHED_COLUMNS, type Enrichment } from '../../collectors/vocabulary.ts';
import type { ExactInt } from '../../lib/exact-int.ts';
import type { Queryable } from '../database.ts';
import { assignments, columnList, differ, sameKey } from '../sql-fragments.ts';
import { isOfTarget, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** What another route said of one row: the columns that the enrichment fills. */
export interface EnrichmentRow {
  readonly id: ExactInt;
  readonly [column: string]: number | string | null;
}

/**
 * Which staged rows `s` an enrichment is requested for. A player can name assembled ships (category 6) and cargo, secure,
 * audit-log and freight containers (groups 12, 340, 448, 649).
 */
const ENRICHABLE: Readonly<Record<Enrichment['kind'], string>> = {
  name: `s.is_singleton AND EXISTS (
  SELECT FROM types t JOIN groups g USING (group_id)
   WHERE t.type_id = s.type_id AND (g.category_id = 6 OR g.group_id IN (12, 340, 448, 649)))`,
  position: `s.location_type = 'solar_system'`,
};

/**
 * The ids of a snapshot's rows that an enrichment is still to be requested for: of staged rows, and of published rows that
 * are not `absent`.
 */
export async function readRowsToEnrich(
  db: Queryable,
  spec: SnapshotSpec,
  { kind }: Enrichment,
  { runId, absent }: { readonly runId: number; readonly absent: readonly bigint[] },
): Promise<ExactInt[]> {
  const key = `s."${spec.key[0]}"`;
  const stage = stageTable(runId);
  const { rows } = await db.query<{ id: ExactInt }>(
    `SELECT DISTINCT ${key} AS id
       FROM (SELECT ${columnList(spec.columns)} FROM ${stage} WHERE NOT rejected
             UNION ALL
             SELECT ${columnList(spec.columns)} FROM ${spec.table} b
              WHERE ${isOfTarget(spec, 'b')} AND NOT EXISTS (SELECT FROM ${stage} k WHERE ${sameKey(spec.key, 'k', 'b')})
                AND NOT EXISTS (SELECT FROM unnest($1::bigint[]) AS a (id) WHERE a.id = b."${spec.key[0]}")) s
      WHERE ${ENRICHABLE[kind]}
        AND NOT EXISTS (SELECT FROM stage.enrichments e
                         WHERE e.run_id = ${runId} AND e.kind = '${kind}' AND e.id = ${key}) ORDER BY 1`,
    [absent],
  );
  return rows.map((row) => row.id);
}

/** Whether everything was requested that the run's staged rows can be enriched with. */
export async function isEnriched(db: Queryable, runId: number): Promise<boolean> {
  const { rows } = await db.query('SELECT FROM stage.enrichment_attempts WHERE run_id = $1 AND is_complete', [
    runId,
  ]);
  return rows.length > 0;
}

/** Begins to enrich the run's pages as they are staged now, or continues. Returns the name of the attempt. */
export async function openEnrichment(db: Queryable, runId: number): Promise<string> {
  const { rows } = await db.query<{ attempt: string }>(
    `INSERT INTO stage.enrichment_attempts AS a (run_id) VALUES ($1)
     ON CONFLICT (run_id) DO UPDATE SET is_complete = a.is_complete RETURNING attempt`,
    [runId],
  );
  return rows[0]!.attempt;
}

/** Marks an attempt as complete. An attempt whose pages were read again meanwhile is unknown by now, and changes nothing. */
export async function closeEnrichment(db: Queryable, runId: number, attempt: string): Promise<void> {
  await db.query(
    'UPDATE stage.enrichment_attempts SET is_complete = true WHERE run_id = $1 AND attempt = $2',
    [runId, attempt],
  );
}

/** Drops what other routes said of the run's rows. */
export async function dropEnrichments(db: Queryable, runId: number): Promise<void> {
  for (const table of ['enrichments', 'enrichment_attempts'])
    await db.query(`DELETE FROM stage.${table} WHERE run_id = $1`, [runId]);
}

/**
 * Stores the answer for a batch of ids until the snapshot is published. `unanswered` ids keep what is published of them.
 * Rows are written in the order of their ids, so that two batches cannot deadlock.
 */
export async function storeEnrichments(
  db: Queryable,
  spec: SnapshotSpec,
  runId: number,
  { kind }: Enrichment,
  { rows, unanswered }: { readonly rows: readonly EnrichmentRow[]; readonly unanswered: readonly ExactInt[] },
): Promise<void> {
  const columns = ENRICHED_COLUMNS[kind];
  await db.query(
    `INSERT INTO stage.enrichments (run_id, kind, id, ${columnList(columns)})
     SELECT $1::bigint, '${kind}', id, ${columnList(columns)} FROM json_populate_recordset(NULL::stage.enrichments, $2)
     UNION ALL
     SELECT $1::bigint, '${kind}', i.id, ${columnList(columns, 'b.')} FROM unnest($3::bigint[]) AS i (id)
       LEFT JOIN ${spec.table} b ON b."${spec.key[0]}" = i.id AND ${isOfTarget(spec, 'b')} ORDER BY 3
     ON CONFLICT (run_id, kind, id) DO UPDATE SET ${assignments(columns, 'excluded')}`,
    [runId, JSON.stringify(rows), unanswered],
  );
}

/**
 * Whether the enrichments of a run differ from the published rows. Rows are looked up one by one, because a join that
 * may stop at its first row is planned by the number of rows of the owner, which is unknown for a new one.
 */
export async function enrichmentsDiffer(db: Queryable, spec: SnapshotSpec, runId: number): Promise<boolean> {
  const columns = spec.enrichments.flatMap(({ kind }) => ENRICHED_COLUMNS[kind]);
  const conditions = spec.enrichments.map(
    ({ kind }) => `e.kind = '${kind}' AND ${differ(ENRICHED_COLUMNS[kind], 'e', 'b')}`,
  );
  const { rows } = await db.query(
    `SELECT FROM stage.enrichments e
      CROSS JOIN LATERAL (SELECT ${columnList(columns)} FROM ${spec.table} b
                           WHERE b."${spec.key[0]}" = e.id AND ${isOfTarget(spec, 'b')} LIMIT 1) b
      WHERE e.run_id = $1 AND (${conditions.join(' OR ')}) LIMIT 1`,
    [runId],
  );
  return rows.length > 0;
}

/** Fills the enriched columns of the staged rows, and stages the published rows whose enriched columns have changed. */
export async function applyEnrichments(client: PoolClient, spec: SnapshotSpec, runId: number): Promise<void> {
  const key = spec.key[0];
  for (const { kind } of spec.enrichments) {
    const columns = ENRICHED_COLUMNS[kind];
    await client.query(
      `INSERT INTO ${stageTable(runId)} (${columnList(spec.columns)}, page, rejected)
       SELECT ${columnList(spec.columns, 'b.')}, 0, false
         FROM stage.enrichments e JOIN ${spec.table} b ON b."${key}" = e.id AND ${isOfTarget(spec, 'b')}
        WHERE e.run_id = $1 AND e.kind = '${kind}' AND ${differ(columns, 'e', 'b')}
          AND NOT EXISTS (SELECT FROM ${stageTable(runId)} k WHERE k."${key}" = b."${key}")`,
      [runId],
    );
    await client.query(
      `UPDATE ${stageTable(runId)} s SET ${assignments(columns, 'e')} FROM stage.enrichments e
        WHERE e.run_id = $1 AND e.kind = '${kind}' AND s."${spec.key[0]}" = e.id AND ${differ(columns, 'e', 's')}`,
      [runId],
    );
  }
}
