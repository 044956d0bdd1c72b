import type { Queryable } from '../database.ts';
import { sameKey } from '../sql-fragments.ts';
import { isOfTarget, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** The oldest staged row of a run that pages backwards, and whether the table holds it. Undefined when there is none. */
export async function readOldest(
  db: Queryable,
  spec: SnapshotSpec,
  runId: number,
  field: string,
): Promise<{ readonly id: number; readonly known: boolean } | undefined> {
  const { rows } = await db.query<{ id: number; known: boolean }>(
    `SELECT s."${field}" AS id,
            EXISTS (SELECT FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')} AND ${sameKey(spec.key, 'b', 's')}) AS known
       FROM ${stageTable(runId)} s WHERE NOT s.rejected ORDER BY 1 LIMIT 1`,
  );
  return rows[0];
}
