import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/**
 * The SQL of the change policies. Each works on `diff`, a temporary table of the rows that matter: new, changed or
 * gone. Unchanged rows are read once, in one join, and never written or locked.
 */

export const list = (columns: readonly string[], prefix = '') =>
  columns.map((c) => `${prefix}"${c}"`).join(', ');
/** A set without a key is a single row, such as the balance of a character. */
export const join = (key: readonly string[], a: string, b: string) =>
  key.map((c) => `${a}."${c}" = ${b}."${c}"`).join(' AND ') || 'true';

/** The target's condition on a table, e.g. `b."region_id" = 10000002`; the id is a checked integer. */
export function within(spec: SnapshotSpec, alias: string): string {
  const own = spec.own.map(([column, value]) => `${alias}."${column}" = ${value}`);
  if (spec.absentOwner !== undefined) own.push(`${alias}."${spec.absentOwner}" IS NULL`);
  return own.join(' AND ') || 'true';
}

/** The target's own columns, before ESI's: they are not in the answer, the path says them. */
const ownColumns = (spec: SnapshotSpec) => spec.own.map(([column]) => column);
const ownValues = (spec: SnapshotSpec) => spec.own.map(([, value]) => String(value));

/** Values of all columns of a new row of the table: target, ESI's columns, and the moment seen ($1). */
export function newRow(spec: SnapshotSpec, alias: string): { columns: string; values: string } {
  return {
    columns: [list([...ownColumns(spec), ...spec.columns, spec.seenAt])].join(', '),
    values: [...ownValues(spec), list(spec.columns, `${alias}.`), '$1'].join(', '),
  };
}

/** Snapshot: what is staged against the book within the target, in one pass. */
export function snapshotDiff(spec: SnapshotSpec, runId: number): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  const pick = data
    .map((c) => `CASE WHEN s.page IS NULL THEN b."${c}" ELSE s."${c}" END AS "${c}"`)
    .join(', ');
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.key)}, ${pick}, s.page IS NULL AS gone, b.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      FULL JOIN (SELECT ${list(spec.columns)}, true AS present FROM ${spec.table} b WHERE ${within(spec, 'b')}) b
     USING (${list(spec.key)})
     WHERE (s.rejected IS NOT TRUE)
       AND (s.page IS NULL OR b.present IS NULL OR (${list(data, 's.')}) IS DISTINCT FROM (${list(data, 'b.')}))`;
}

/** Changes: what is staged against the newest row of its key. */
export function changesDiff(spec: SnapshotSpec, runId: number): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.columns, 's.')}, false AS gone, l.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN LATERAL (SELECT ${list(data, 'v.')}, true AS present FROM ${spec.table} v
                          WHERE ${join(spec.key, 'v', 's')} AND ${within(spec, 'v')}
                          ORDER BY v."${spec.seenAt}" DESC LIMIT 1) l ON true
     WHERE NOT s.rejected
       AND (l.present IS NULL OR (${list(data, 's.')}) IS DISTINCT FROM (${list(data, 'l.')}))`;
}

/** What the table holds of the target before anything is written. */
export function countBook(spec: SnapshotSpec): string {
  return `SELECT count(*) AS rows FROM ${spec.table} b WHERE ${within(spec, 'b')}`;
}

/** New rows whose key stands in the table for another target: they are given back, and rejected. */
export function deleteRowsOfOtherTargets(spec: SnapshotSpec): string | undefined {
  // Two owners may name one item, order or transaction; ids of public things belong to one region.
  if (spec.targetId?.kind !== 'region') return undefined;
  return `DELETE FROM diff d USING ${spec.table} b
           WHERE NOT d.known AND ${join(spec.key, 'b', 'd')} AND NOT (${within(spec, 'b')})
       RETURNING ${list(spec.columns, 'd.')}`;
}

/** Keeps what is superseded: $1 is the moment the new set stands for. */
export function archive(spec: SnapshotSpec): string {
  if (spec.change.policy !== 'snapshot') throw new Error(`${spec.collector} keeps no versions`);
  const columns = list([...ownColumns(spec), ...spec.columns]);
  const reasons = (spec.change.endedBy ?? [])
    .map(([reason, column]) => `WHEN b."${column}" IS DISTINCT FROM d."${column}" THEN '${reason}'`)
    .join(' ');
  return `INSERT INTO ${spec.change.versions} (${columns}, valid_from, valid_to, ended_by)
    SELECT ${list([...ownColumns(spec), ...spec.columns], 'b.')}, b."${spec.seenAt}", $1,
           CASE WHEN d.gone THEN 'closed' ${reasons} ELSE 'changed' END
      FROM diff d JOIN ${spec.table} b ON ${join(spec.key, 'b', 'd')} WHERE d.known ON CONFLICT DO NOTHING`;
}

export function removeGone(spec: SnapshotSpec): string {
  return `DELETE FROM ${spec.table} b USING diff d WHERE d.gone AND ${join(spec.key, 'b', 'd')} AND ${within(spec, 'b')}`;
}

export function updateChanged(spec: SnapshotSpec): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  const set = data.map((c) => `"${c}" = d."${c}"`).join(', ');
  return `UPDATE ${spec.table} b SET ${set}, "${spec.seenAt}" = $1
            FROM diff d WHERE d.known AND NOT d.gone AND ${join(spec.key, 'b', 'd')} AND ${within(spec, 'b')}`;
}

export function insertNew(spec: SnapshotSpec): string {
  const { columns, values } = newRow(spec, 'd');
  return `INSERT INTO ${spec.table} (${columns}) SELECT ${values} FROM diff d WHERE NOT d.known ON CONFLICT DO NOTHING`;
}

/** The day (UTC) that a set of this moment stands for. */
export const dayOf = (at: Date) => at.toISOString().slice(0, 10);

/** Daily: what is staged against the rows of the same day. The date is a literal of our own making. */
export function dailyDiff(spec: SnapshotSpec, runId: number, at: Date): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.columns, 's.')}, false AS gone, b.${spec.seenAt} IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      LEFT JOIN ${spec.table} b ON ${join(spec.key, 'b', 's')} AND b."${spec.seenAt}" = '${dayOf(at)}' AND ${within(spec, 'b')}
     WHERE NOT s.rejected
       AND (b."${spec.seenAt}" IS NULL OR (${list(data, 's.')}) IS DISTINCT FROM (${list(data, 'b.')}))`;
}

/** Daily: a later set of the same day corrects its rows. */
export function correctDay(spec: SnapshotSpec, at: Date): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  return `UPDATE ${spec.table} b SET ${data.map((c) => `"${c}" = d."${c}"`).join(', ')} FROM diff d
           WHERE d.known AND ${join(spec.key, 'b', 'd')} AND b."${spec.seenAt}" = '${dayOf(at)}' AND ${within(spec, 'b')}`;
}

/** A row for each difference; `newOnly`: where the known ones were corrected in place. */
export function appendChanges(spec: SnapshotSpec, newOnly: boolean): string {
  const { columns, values } = newRow(spec, 'd');
  const where = newOnly ? 'WHERE NOT d.known' : '';
  return `INSERT INTO ${spec.table} (${columns}) SELECT ${values} FROM diff d ${where} ON CONFLICT DO NOTHING`;
}

/**
 * An empty book takes the stage as it is: nothing to compare, half the work. Throws a unique violation where a key stands
 * already; ON CONFLICT would tell the same, for a fifth more time and log.
 */
export function insertAll(spec: SnapshotSpec, runId: number): string {
  const { columns, values } = newRow(spec, 's');
  return `INSERT INTO ${spec.table} (${columns}) SELECT ${values} FROM ${stageTable(runId)} s WHERE NOT s.rejected`;
}

/** Of the rows of each key that a set gives twice, all but one: the last that could be read. */
export function dropTwice(spec: SnapshotSpec, runId: number): string {
  return `DELETE FROM ${stageTable(runId)} a USING ${stageTable(runId)} b
           WHERE ${join(spec.key, 'a', 'b')} AND (b.rejected, a.ctid) < (a.rejected, b.ctid)`;
}

export function countTwice(spec: SnapshotSpec, runId: number): string {
  return `SELECT count(*) AS rows FROM (SELECT FROM ${stageTable(runId)} GROUP BY ${list(spec.key) || '()'} HAVING count(*) > 1) t`;
}

/** Brings the rows of pages that answered 304 over from the stage of the set published last. */
export function carryOver(spec: SnapshotSpec, fromRun: number, toRun: number): string {
  const columns = list([...spec.columns, 'page', 'rejected']);
  return `INSERT INTO ${stageTable(toRun)} (${columns}) SELECT ${columns} FROM ${stageTable(fromRun)} WHERE page = ANY($1)`;
}
