import type { OpenList } from '../../collectors/vocabulary.ts';
import { assignments, columnList, differ, sameKey } from '../sql-fragments.ts';
import { type AbsentRows, absentRows, returning } from './merge.sql.ts';
import { dataColumns, isListed, isOfTarget, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** The SQL of lists of open rows, which rows leave without leaving the table. See merge.sql.ts for `diff`. */

/**
 * A list of rows in one state: a row that is absent has left it, a row that is listed again has returned. A row's end
 * overrides a list that is older than the answer that stated it (the two routes are cached separately), and against
 * every list where ESI itself stated the end. The moment is a literal of our own making.
 */
export function openListDiff(
  spec: SnapshotSpec,
  runId: number,
  openList: OpenList,
  { at, absent }: { readonly at: Date; readonly absent: AbsentRows },
): string {
  const { state } = openList;
  const open = [state, ...openList.inferred].map((one) => `'${one}'`).join(', ');
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, b.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN (SELECT ${columnList(spec.columns)}, ${isListed(openList, 'b')} AS present,
                        b.state NOT IN (${open})
                        OR b.state <> '${state}' AND b."${spec.versionedAt}" > '${at.toISOString()}' AS ended
                   FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')}) b
        ON ${sameKey(spec.key, 'b', 's')}
     WHERE NOT s.rejected AND b.ended IS NOT TRUE
       AND (b.present IS NOT TRUE OR ${differ(dataColumns(spec), 's', 'b')})
    UNION ALL ${absentRows(spec, runId, absent)}`;
}

/** Marks absent rows as having left the list at $1. `state` is set where no answer can state their end any more. */
export function markLeft(spec: SnapshotSpec, state?: string): string {
  const known = state === undefined ? '' : `, state = '${state}'`;
  return `UPDATE ${spec.table} b SET left_at = $1${known} FROM diff d WHERE d.absent AND ${sameKey(spec.key, 'b', 'd')} AND ${isOfTarget(spec, 'b')}`;
}

/** Rows that have returned to the list, or have changed on it. */
export function updateListed(spec: SnapshotSpec, state: string): string {
  return `UPDATE ${spec.table} b SET ${assignments(dataColumns(spec), 'd')}, "${spec.versionedAt}" = $1, state = '${state}', left_at = NULL
            FROM diff d WHERE d.known AND NOT d.absent AND ${sameKey(spec.key, 'b', 'd')} AND ${isOfTarget(spec, 'b')}
          ${returning(spec)}`;
}

/**
 * Closes rows that left the list by $1, that the newest history does not list either, and that a later list lacks as
 * well. $2 and $3 are the collector and the target, $4 is the run that read the history: a row that it rejected is listed. Undefined where the collector infers nothing.
 */
export function closeInferred(spec: SnapshotSpec): string | undefined {
  if (spec.change.policy !== 'upsert' || spec.change.inferClosed === undefined) return undefined;
  const { from, to, openList } = spec.change.inferClosed;
  return `UPDATE ${spec.table} b SET state = '${to}', "${spec.versionedAt}" = $1
           WHERE ${isOfTarget(spec, 'b')} AND b.state = '${from}' AND b.left_at <= $1
             AND b.left_at < (SELECT p.last_modified FROM published_sets p
                               WHERE p.collector = $2 AND p.target = $3 AND p.resource = '${openList}')
             AND NOT EXISTS (SELECT FROM rejected_rows r
                              WHERE r.run_id = $4 AND r.row ->> '${spec.key[0]}' = b."${spec.key[0]}"::text)`;
}
