import type { ExactInt } from '../../lib/exact-int.ts';
import type { Queryable } from '../database.ts';
import { columnList, sameKey } from '../sql-fragments.ts';
import { isOfTarget, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** The oldest staged id of a run that pages backwards. */
export interface OldestRow {
  readonly id: ExactInt;
  /** Whether the table holds all rows of this id. */
  readonly known: boolean;
  /** Whether a row of this id is staged: two rows may have one id and another key. */
  readonly isStaged: (row: Readonly<Record<string, unknown>>) => boolean;
}

/** Undefined when no row is staged. */
export async function readOldest(
  db: Queryable,
  spec: SnapshotSpec,
  runId: number,
  field: string,
): Promise<OldestRow | undefined> {
  const { rows } = await db.query<Record<string, unknown> & { known: boolean }>(
    `SELECT ${columnList(spec.key, 's.')},
            EXISTS (SELECT FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')} AND ${sameKey(spec.key, 'b', 's')}) AS known
       FROM ${stageTable(runId)} s
      WHERE NOT s.rejected AND s."${field}" = (SELECT min("${field}") FROM ${stageTable(runId)} WHERE NOT rejected)`,
  );
  const [first] = rows;
  if (!first) return undefined;
  return {
    id: first[field] as ExactInt,
    known: rows.every((row) => row.known),
    isStaged: (row) => rows.some((staged) => spec.key.every((column) => staged[column] === row[column])),
  };
}
