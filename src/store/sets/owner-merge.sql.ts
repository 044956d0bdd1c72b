import type { OpenList } from '../../collectors/vocabulary.ts';
import { join, list, newRow, within } from './merge.sql.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** The SQL of what owners' sets add to the change policies; see merge.sql.ts for `diff`. */

/** Append: staged rows whose key the table does not hold yet. */
export function appendDiff(spec: SnapshotSpec, runId: number): string {
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.columns, 's.')}, false AS gone, false AS known FROM ${stageTable(runId)} s
     WHERE NOT s.rejected
       AND NOT EXISTS (SELECT FROM ${spec.table} b WHERE ${within(spec, 'b')} AND ${join(spec.key, 'b', 's')})`;
}

/** Upsert: staged rows that are new, or differ from what the table holds. */
export function upsertDiff(spec: SnapshotSpec, runId: number): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.columns, 's.')}, false AS gone, b.present IS NOT NULL AS known FROM ${stageTable(runId)} s
      LEFT JOIN (SELECT ${list(spec.columns)}, true AS present FROM ${spec.table} b WHERE ${within(spec, 'b')}) b
        ON ${join(spec.key, 'b', 's')}
     WHERE NOT s.rejected AND (b.present IS NULL OR (${list(data, 's.')}) IS DISTINCT FROM (${list(data, 'b.')}))`;
}

/** Adds the rows of `diff` that no other writer has added meanwhile. $1 is the moment of the set. */
export function insertMissing(spec: SnapshotSpec): string {
  const { columns, values } = newRow(spec, 'd');
  return `INSERT INTO ${spec.table} (${columns}) SELECT ${values} FROM diff d WHERE NOT d.known ON CONFLICT DO NOTHING`;
}

/**
 * Rows that left the list by $1, and whose end the newest history does not tell either, have come to another end: when a
 * later list lacks them as well. $2 and $3 are the collector and the target.
 */
export function settleLeft(spec: SnapshotSpec): string | undefined {
  if (spec.change.policy !== 'upsert' || spec.change.settles === undefined) return undefined;
  const { from, to, listedBy } = spec.change.settles;
  return `UPDATE ${spec.table} b SET state = '${to}', "${spec.seenAt}" = $1
           WHERE ${within(spec, 'b')} AND b.state = '${from}' AND b.left_at <= $1
             AND b.left_at < (SELECT p.last_modified FROM published_sets p
                               WHERE p.collector = $2 AND p.target = $3 AND p.part = '${listedBy}')`;
}

/**
 * A list of rows in one state: what is absent has left it, what stands in it again has not. A list older than what told
 * of a row's end (the two are cached apart) does not bring it back, nor does any list where ESI itself told the end.
 * The moment is a literal of our own making.
 */
export function leavingDiff(spec: SnapshotSpec, runId: number, { state, inferred }: OpenList, at: Date): string {
  const open = [state, ...inferred].map((one) => `'${one}'`).join(', ');
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  const pick = data
    .map((c) => `CASE WHEN s.page IS NULL THEN b."${c}" ELSE s."${c}" END AS "${c}"`)
    .join(', ');
  const staged = `SELECT FROM ${stageTable(runId)} k WHERE ${join(spec.key, 'k', 'b')}`;
  return `CREATE TEMP TABLE diff ON COMMIT DROP AS
    SELECT ${list(spec.key)}, ${pick}, s.page IS NULL AS gone, b.present IS NOT NULL AS known
      FROM ${stageTable(runId)} s
      FULL JOIN (SELECT ${list(spec.columns)}, b.state = '${state}' AND b.left_at IS NULL AS present,
                        b.state NOT IN (${open})
                        OR b.state <> '${state}' AND b."${spec.seenAt}" > '${at.toISOString()}' AS ended
                   FROM ${spec.table} b
                  WHERE ${within(spec, 'b')}
                    AND (b.state = '${state}' AND b.left_at IS NULL OR EXISTS (${staged}))) b
     USING (${list(spec.key)})
     WHERE s.rejected IS NOT TRUE AND b.ended IS NOT TRUE
       AND (s.page IS NULL OR b.present IS NOT TRUE OR (${list(data, 's.')}) IS DISTINCT FROM (${list(data, 'b.')}))`;
}

/** How many rows the list holds before anything is written. */
export function countListed(spec: SnapshotSpec, state: string): string {
  return `SELECT count(*) AS rows FROM ${spec.table} b
           WHERE ${within(spec, 'b')} AND b.state = '${state}' AND b.left_at IS NULL`;
}

/** `state`: where it is known that nothing will tell what became of them. */
export function markLeft(spec: SnapshotSpec, state?: string): string {
  const known = state === undefined ? '' : `, state = '${state}'`;
  return `UPDATE ${spec.table} b SET left_at = $1${known} FROM diff d WHERE d.gone AND ${join(spec.key, 'b', 'd')} AND ${within(spec, 'b')}`;
}

/** Rows that stand in the list again, or have changed in it. */
export function updateListed(spec: SnapshotSpec, state: string): string {
  const data = spec.columns.filter((c) => !spec.key.includes(c));
  const set = data.map((c) => `"${c}" = d."${c}"`).join(', ');
  return `UPDATE ${spec.table} b SET ${set}, "${spec.seenAt}" = $1, state = '${state}', left_at = NULL
            FROM diff d WHERE d.known AND NOT d.gone AND ${join(spec.key, 'b', 'd')} AND ${within(spec, 'b')}`;
}

/** What an item has besides quantity and place, and what such a change is called. */
const STATE = ['type_id', 'location_type', 'location_flag', 'is_singleton', 'is_blueprint_copy'];
const POSITION = ['position_x', 'position_y', 'position_z'];

/**
 * A row per kind of change of each item in `diff`: $1 is the moment of the new set, $2 that of the one before, $3 now.
 * The first row of a change carries the item as it was, so that any earlier set can be rebuilt.
 */
export function insertAssetDiffs(spec: SnapshotSpec): string {
  const differ = (columns: readonly string[]) =>
    `(${list(columns, 'b.')}) IS DISTINCT FROM (${list(columns, 'd.')})`;
  const owner = spec.own[0]!;
  const old = [...STATE, 'name', ...POSITION].map((c) => `old_${c}`);
  const before = [...STATE, 'name', ...POSITION].map((c) => `CASE WHEN k.n = 1 THEN b."${c}" END`);
  return `INSERT INTO asset_diffs (${owner[0]}, item_id, type_id, location_id, change_type, old_quantity, new_quantity,
           old_location_id, new_location_id, detected_at, previous_snapshot_at, current_snapshot_at, new_location_flag,
           new_name, valid_from, ${old.join(', ')})
    SELECT ${owner[1]}, d.item_id, d.type_id, d.location_id, k.kind, b.quantity, CASE WHEN NOT d.gone THEN d.quantity END,
           b.location_id, CASE WHEN NOT d.gone THEN d.location_id END, $3, $2, $1,
           CASE WHEN NOT d.gone THEN d.location_flag END, CASE WHEN NOT d.gone THEN d.name END,
           CASE WHEN k.n = 1 THEN b.${spec.seenAt} END, ${before.join(', ')}
      FROM diff d
      LEFT JOIN ${spec.table} b ON d.known AND b.item_id = d.item_id AND ${within(spec, 'b')}
     CROSS JOIN LATERAL unnest(CASE WHEN NOT d.known THEN ARRAY['ADDED'] WHEN d.gone THEN ARRAY['REMOVED'] ELSE
           array_remove(ARRAY[
             CASE WHEN ${differ(['quantity'])} THEN 'QUANTITY_CHANGED' END,
             CASE WHEN ${differ(['location_id'])} THEN 'LOCATION_CHANGED' END,
             CASE WHEN ${differ(STATE)} THEN 'STATE_CHANGED' END,
             CASE WHEN ${differ(['name'])} THEN 'NAME_CHANGED' END,
             CASE WHEN ${differ(POSITION)} THEN 'POSITION_CHANGED' END], NULL) END)
           WITH ORDINALITY AS k (kind, n)`;
}

/** ISK: balances and amounts of more than two decimals are rounded, each by itself; three of them are a cent and a half. */
const GAP = '0.02';

/**
 * Gaps of a journal by its running balance, ids being in the order of time: computed anew from the row before the
 * oldest new one, so that a gap that was filled later goes; one that is as it was keeps when it was found. $1 is now.
 */
export function findJournalGaps(spec: SnapshotSpec): readonly [forget: string, find: string] {
  const [columns, values] = [spec.own.map(([c]) => c), spec.own.map(([, value]) => value)];
  const rows = within(spec, 'j');
  const from = `(SELECT coalesce(max(j.journal_id), 0) FROM wallet_journal j
                  WHERE ${rows} AND j.journal_id < (SELECT min(journal_id) FROM diff))`;
  const gaps = `(SELECT * FROM (
       SELECT j.journal_id, j.date, lag(j.journal_id) OVER w AS last_id, lag(j.date) OVER w AS last_date,
              j.balance - j.amount - lag(j.balance) OVER w AS missing
         FROM wallet_journal j WHERE ${rows} AND j.journal_id >= ${from}
       WINDOW w AS (ORDER BY j.journal_id)) steps WHERE abs(missing) >= ${GAP})`;
  return [
    `WITH g AS ${gaps}
     DELETE FROM wallet_journal_gaps j
      WHERE ${rows} AND j.before_journal_id > ${from}
        AND NOT EXISTS (SELECT FROM g WHERE g.journal_id = j.before_journal_id
                           AND g.last_id = j.after_journal_id AND g.missing = j.missing_amount)`,
    `INSERT INTO wallet_journal_gaps (${columns.join(', ')}, after_journal_id, before_journal_id, after_date, before_date,
            missing_amount, found_at)
     SELECT ${values.join(', ')}, g.last_id, g.journal_id, g.last_date, g.date, g.missing, $1
       FROM ${gaps} g ON CONFLICT DO NOTHING`,
  ];
}
