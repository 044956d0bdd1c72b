import type { Pool } from 'pg';
import { join, within } from './merge.sql.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** The oldest row of a run that reads backwards, and whether the table holds it already. Undefined: there is no row. */
export async function readOldest(
  db: Pick<Pool, 'query'>,
  spec: SnapshotSpec,
  runId: number,
  field: string,
): Promise<{ readonly id: number; readonly known: boolean } | undefined> {
  const { rows } = await db.query<{ id: number; known: boolean }>(
    `SELECT s."${field}" AS id,
            EXISTS (SELECT FROM ${spec.table} b WHERE ${within(spec, 'b')} AND ${join(spec.key, 'b', 's')}) AS known
       FROM ${stageTable(runId)} s WHERE NOT s.rejected ORDER BY 1 LIMIT 1`,
  );
  return rows[0];
}
