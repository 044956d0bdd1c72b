import type { OwnerKind } from '../../collectors/targets.ts';
import type { Queryable } from '../database.ts';

/** The collector's name, however people wrote its type: WALLET, wallet, with a hyphen or an underscore. */
const COLLECTOR = `lower(replace(collector_type, '_', '-'))`;

/** An assignment that is due. */
export interface DueAssignment {
  readonly collector: string;
  readonly kind: OwnerKind;
  readonly ownerId: number;
}

/**
 * Takes due assignments, oldest first, for ten minutes: a concurrent caller gets others, and those of a process that died
 * are due again soon. Assignments without an active login are left out, because nothing could be requested for them.
 */
export async function takeDue(db: Queryable, now: Date, limit: number): Promise<DueAssignment[]> {
  const { rows } = await db.query<{
    collector: string;
    character_id: number | null;
    corporation_id: number | null;
  }>(
    `UPDATE collector_assignments a
        SET next_collection_at = $1::timestamptz + make_interval(mins => least(a.collection_interval_minutes, 10))
       FROM (SELECT id FROM collector_assignments d
              WHERE d.is_enabled AND (d.next_collection_at IS NULL OR d.next_collection_at <= $1)
                AND EXISTS (SELECT FROM esi_tokens t JOIN characters c USING (character_id)
                             WHERE t.is_active
                               AND (c.character_id = d.character_id OR c.corporation_id = d.corporation_id))
              ORDER BY d.next_collection_at NULLS FIRST, d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED) due
      WHERE a.id = due.id RETURNING ${COLLECTOR} AS collector, a.character_id, a.corporation_id`,
    [now, limit],
  );
  return rows.map((row) => ({
    collector: row.collector,
    kind: row.character_id === null ? 'corporation' : 'character',
    ownerId: (row.character_id ?? row.corporation_id)!,
  }));
}

/** Sets the note of an assignment whose collector does not exist. */
export async function noteUnknownCollector(
  db: Queryable,
  { collector, kind, ownerId }: DueAssignment,
  note: string,
): Promise<void> {
  await db.query(`UPDATE collector_assignments SET note = $3 WHERE ${COLLECTOR} = $1 AND ${kind}_id = $2`, [
    collector,
    ownerId,
    note,
  ]);
}

/** What became of the run of an assignment. */
export interface CollectionRecord {
  readonly collector: string;
  readonly kind: OwnerKind;
  readonly ownerId: number;
  /** Whether something was requested and answered. */
  readonly isCollected: boolean;
  /** Before this nothing new can be had. */
  readonly notBefore: Date | undefined;
  /** Why nothing, or not all, was collected. */
  readonly note: string | undefined;
}

/**
 * Records a run of an assignment: when it was, when the next is due, and what blocks it. Each assignment has a moment of
 * its own within its interval, derived from its id, so that what was assigned together is spread, and what was late is on
 * time again the next time. The moment counts from the first run's `notBefore` on; otherwise a thousand snapshots that ESI
 * caches as long as the interval would always come when they were first read.
 */
export async function recordCollection(db: Queryable, record: CollectionRecord, now: Date): Promise<void> {
  const { collector, kind, ownerId, isCollected, notBefore, note } = record;
  const nextTurn = (after: string) => `date_bin(turn.every, ${after}, turn.moment) + turn.every`;
  await db.query(
    `UPDATE collector_assignments a
        SET last_collected_at = CASE WHEN $3 THEN $4::timestamptz ELSE last_collected_at END, note = $6,
            planned_minutes = collection_interval_minutes,
            next_collection_at = CASE WHEN last_collected_at IS NULL THEN ${nextTurn('greatest($4::timestamptz, $5)')}
                                      ELSE greatest(${nextTurn('$4::timestamptz')}, $5) END
       FROM (SELECT id, make_interval(mins => collection_interval_minutes) AS every,
                    to_timestamp(hashint8(id)) AS moment
               FROM collector_assignments WHERE ${COLLECTOR} = $1 AND ${kind}_id = $2) turn
      WHERE a.id = turn.id`,
    [collector, ownerId, isCollected, now, notBefore ?? null, note ?? null],
  );
}

/** An assignment as the target of its collector. */
export interface AssignedTarget {
  readonly collector: string;
  /** `character/90000001`. */
  readonly target: string;
  /** Between two runs. */
  readonly minutes: number;
  readonly isEnabled: boolean;
  readonly note: string | undefined;
}

/** All assignments by owner, optionally of one collector, disabled ones included. */
export async function readAssignedTargets(db: Queryable, collector?: string): Promise<AssignedTarget[]> {
  const { rows } = await db.query<Omit<AssignedTarget, 'note'> & { note: string | null }>(
    `SELECT ${COLLECTOR} AS collector, collection_interval_minutes AS minutes, is_enabled AS "isEnabled", note,
            CASE WHEN character_id IS NULL THEN 'corporation/' || corporation_id
                 ELSE 'character/' || character_id END AS target
       FROM collector_assignments WHERE $1::text IS NULL OR ${COLLECTOR} = $1 ORDER BY 5, 1`,
    [collector ?? null],
  );
  return rows.map((row) => ({ ...row, note: row.note ?? undefined }));
}
