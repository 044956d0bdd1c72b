import { assignments, columnList, differ, sameKey } from '../sql-fragments.ts';
import { storedColumns } from './stored-rows.ts';
import { dataColumns, isOfTarget, isPublished, type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/**
 * The SQL of the change policies. Each works on `diff`, a temporary table of the rows that matter: new (`known` false),
 * changed, or absent. Unchanged rows are read once, in one join, and never written or locked.
 */

/** Columns of the table's rows: those of the target, ESI's, and the moment from which the version is valid ($1). */
function newRow(spec: SnapshotSpec, alias: string): { columns: string; values: string } {
  const targetColumns = spec.targetColumns.map(([column]) => column);
  const targetValues = spec.targetColumns.map(([, value]) => String(value));
  return {
    columns: columnList([...targetColumns, ...spec.columns, spec.versionedAt]),
    values: [...targetValues, columnList(spec.columns, `${alias}.`), '$1'].join(', '),
  };
}

/** `snapshot`: staged rows against the rows of the target, and the rows that are absent, see `absentRows`. */
export function snapshotDiff(spec: SnapshotSpec, runId: number, absent: AbsentRows): string {
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, b.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN (SELECT ${columnList(spec.columns)}, true AS present FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')}) b
        ON ${sameKey(spec.key, 'b', 's')}
     WHERE NOT s.rejected AND (b.present IS NULL OR ${differ(dataColumns(spec), 's', 'b')})
    UNION ALL ${absentRows(spec, runId, absent)}`;
}

/** How the absent rows are known: by their keys, which are $1, or because they are not staged ($1 is null). */
export type AbsentRows = 'listed' | 'not staged';

/** The published rows that a snapshot does not show, as rows of `diff`. */
export function absentRows(spec: SnapshotSpec, runId: number, absent: AbsentRows): string {
  const isAbsent =
    absent === 'listed'
      ? `b."${spec.key[0]}" = ANY($1::bigint[])`
      : `$1::bigint[] IS NULL
         AND NOT EXISTS (SELECT FROM ${stageTable(runId)} k WHERE ${sameKey(spec.key, 'k', 'b')})`;
  return `SELECT ${columnList(spec.columns, 'b.')}, true AS absent, true AS known FROM ${spec.table} b
           WHERE ${isPublished(spec, 'b')} AND ${isAbsent}`;
}

/** `changes`: staged rows against the newest row of their key. */
export function changesDiff(spec: SnapshotSpec, runId: number): string {
  const data = dataColumns(spec);
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, l.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN LATERAL (SELECT ${columnList(data, 'v.')}, true AS present FROM ${spec.table} v
                          WHERE ${sameKey(spec.key, 'v', 's')} AND ${isOfTarget(spec, 'v')}
                          ORDER BY v."${spec.versionedAt}" DESC LIMIT 1) l ON true
     WHERE NOT s.rejected AND (l.present IS NULL OR ${differ(data, 's', 'l')})`;
}

/** The UTC day that a snapshot of this moment stands for. */
export const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/** `daily`: staged rows against the rows of the same day. The day is a literal of our own making. */
export function dailyDiff(spec: SnapshotSpec, runId: number, at: Date): string {
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, b.${spec.versionedAt} IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN ${spec.table} b ON ${sameKey(spec.key, 'b', 's')} AND b."${spec.versionedAt}" = '${dayOf(at)}' AND ${isOfTarget(spec, 'b')}
     WHERE NOT s.rejected AND (b."${spec.versionedAt}" IS NULL OR ${differ(dataColumns(spec), 's', 'b')})`;
}

/** `daily`: a later snapshot of the same day corrects its rows. */
export function correctDay(spec: SnapshotSpec, at: Date): string {
  return `UPDATE ${spec.table} b SET ${assignments(dataColumns(spec), 'd')} FROM diff d
           WHERE d.known AND ${sameKey(spec.key, 'b', 'd')} AND b."${spec.versionedAt}" = '${dayOf(at)}' AND ${isOfTarget(spec, 'b')}`;
}

/** `append`: staged rows whose key the table does not hold yet. */
export function appendDiff(spec: SnapshotSpec, runId: number): string {
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, false AS known FROM ${stageTable(runId)} s
     WHERE NOT s.rejected
       AND NOT EXISTS (SELECT FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')} AND ${sameKey(spec.key, 'b', 's')})`;
}

/** `upsert`: staged rows that are new, or differ from what the table holds. */
export function upsertDiff(spec: SnapshotSpec, runId: number): string {
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${columnList(spec.columns, 's.')}, false AS absent, b.present IS NOT NULL AS known FROM ${stageTable(runId)} s
      LEFT JOIN (SELECT ${columnList(spec.columns)}, true AS present FROM ${spec.table} b WHERE ${isOfTarget(spec, 'b')}) b
        ON ${sameKey(spec.key, 'b', 's')}
     WHERE NOT s.rejected AND (b.present IS NULL OR ${differ(dataColumns(spec), 's', 'b')})`;
}

/** The number of rows of the target's published snapshot. */
export function countRows(spec: SnapshotSpec): string {
  return `SELECT count(*) AS rows FROM ${spec.table} b WHERE ${isPublished(spec, 'b')}`;
}

/**
 * Removes new rows from `diff` whose key the table holds for another target, and returns them. Undefined where several
 * targets may hold one key: two owners may list one item, order or transaction, but a public order belongs to one region.
 */
export function deleteRowsOfOtherTargets(spec: SnapshotSpec): string | undefined {
  if (spec.parsedTarget?.kind !== 'region') return undefined;
  return `DELETE FROM diff d USING ${spec.table} b
           WHERE NOT d.known AND ${sameKey(spec.key, 'b', 'd')} AND NOT (${isOfTarget(spec, 'b')})
       RETURNING ${columnList(spec.columns, 'd.')}`;
}

/** Copies superseded versions to the table of versions. $1 is the moment of the new snapshot. */
export function archiveVersions(spec: SnapshotSpec): string {
  if (spec.change.policy !== 'snapshot') throw new Error(`${spec.collector} keeps no versions`);
  const columns = [...spec.targetColumns.map(([column]) => column), ...spec.columns];
  const reasons = (spec.change.endedBy ?? [])
    .map(([reason, column]) => `WHEN b."${column}" IS DISTINCT FROM d."${column}" THEN '${reason}'`)
    .join(' ');
  return `INSERT INTO ${spec.change.versions} (${columnList(columns)}, valid_from, valid_to, ended_by)
    SELECT ${columnList(columns, 'b.')}, b."${spec.versionedAt}", $1,
           CASE WHEN d.absent THEN 'closed' ${reasons} ELSE 'changed' END
      FROM diff d JOIN ${spec.table} b ON ${sameKey(spec.key, 'b', 'd')} WHERE d.known ON CONFLICT DO NOTHING`;
}

export function deleteAbsent(spec: SnapshotSpec): string {
  return `DELETE FROM ${spec.table} b USING diff d WHERE d.absent AND ${sameKey(spec.key, 'b', 'd')} AND ${isOfTarget(spec, 'b')}`;
}

export function updateChanged(spec: SnapshotSpec): string {
  return `UPDATE ${spec.table} b SET ${assignments(dataColumns(spec), 'd')}, "${spec.versionedAt}" = $1
            FROM diff d WHERE d.known AND NOT d.absent AND ${sameKey(spec.key, 'b', 'd')} AND ${isOfTarget(spec, 'b')}
          ${returning(spec)}`;
}

/** Inserts the rows of `diff` that no other writer has inserted meanwhile. $1 is the moment of the snapshot. */
export function insertNew(spec: SnapshotSpec): string {
  return `${insertDifferences(spec)} WHERE NOT d.known ON CONFLICT DO NOTHING ${returning(spec)}`;
}

/** Returns what is stored now, where new rows are compared with it. */
export const returning = (spec: SnapshotSpec): string =>
  spec.comparesRows ? `RETURNING ${columnList(storedColumns(spec), 'b.')}` : '';

/** `changes`: inserts a row for each difference. */
export function insertVersions(spec: SnapshotSpec): string {
  return `${insertDifferences(spec)} ON CONFLICT DO NOTHING`;
}

function insertDifferences(spec: SnapshotSpec): string {
  const { columns, values } = newRow(spec, 'd');
  return `INSERT INTO ${spec.table} AS b (${columns}) SELECT ${values} FROM diff d`;
}

/**
 * Inserts the stage as it is into a target without rows: nothing is to be compared, which halves the work. Fails with a
 * unique violation where a key exists; ON CONFLICT would handle it for a fifth more time and WAL.
 */
export function insertAll(spec: SnapshotSpec, runId: number): string {
  const { columns, values } = newRow(spec, 's');
  return `INSERT INTO ${spec.table} (${columns}) SELECT ${values} FROM ${stageTable(runId)} s WHERE NOT s.rejected`;
}

/** Deletes the staged rows with these keys ($1). */
export const deleteStaged = (spec: SnapshotSpec, runId: number): string =>
  `DELETE FROM ${stageTable(runId)} WHERE "${spec.key[0]}" = ANY($1::bigint[])`;

/**
 * Of staged rows with the same key, deletes all but one: of those that passed validation, the one on the last page. Returns
 * whether the others passed and say something else.
 */
export function deleteDuplicates(spec: SnapshotSpec, runId: number): string {
  return `DELETE FROM ${stageTable(runId)} a USING ${stageTable(runId)} b
           WHERE ${sameKey(spec.key, 'a', 'b')} AND (b.rejected, a.page, a.ctid) < (a.rejected, b.page, b.ctid)
       RETURNING ${columnList(spec.columns, 'a.')}, NOT a.rejected AND ${differ(dataColumns(spec), 'a', 'b')} AS "differs"`;
}
