import type { Pool } from 'pg';
import type { OwnerKind } from '../spec/targets.ts';

type Queryable = Pick<Pool, 'query'>;

export interface DueAssignment {
  readonly collector: string;
  readonly kind: OwnerKind;
  readonly ownerId: number;
}

/**
 * Takes what is due, oldest first, for ten minutes: whoever asks at the same time gets others, and what was taken by a
 * process that died is due again soon. An owner without any active login is left alone: nothing could be asked for it.
 */
export async function takeDue(db: Queryable, now: Date, limit: number): Promise<DueAssignment[]> {
  const { rows } = await db.query<{
    collector_type: string;
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
      WHERE a.id = due.id RETURNING a.collector_type, a.character_id, a.corporation_id`,
    [now, limit],
  );
  return rows.map((row) => ({
    collector: row.collector_type.toLowerCase().replaceAll('_', '-'),
    kind: row.character_id === null ? 'corporation' : 'character',
    ownerId: (row.character_id ?? row.corporation_id)!,
  }));
}

/** Says why an assignment rests where its collector does not exist. */
export async function noteUnknownCollector(
  db: Queryable,
  { collector, kind, ownerId }: DueAssignment,
  note: string,
): Promise<void> {
  await db.query(
    `UPDATE collector_assignments SET note = $3 WHERE lower(collector_type) = $1 AND ${kind}_id = $2`,
    [collector, ownerId, note],
  );
}

export interface Settlement {
  readonly collector: string;
  readonly kind: OwnerKind;
  readonly ownerId: number;
  /** Whether something was asked and answered. */
  readonly collected: boolean;
  /** Before this nothing new can be had. */
  readonly notBefore: Date | undefined;
  /** Why nothing, or not all, was collected. */
  readonly note: string | undefined;
}

/**
 * After a run: when it was, when the next makes sense, and what is in the way. After the first the next comes within one
 * interval at random from when it could, so that what was assigned together does not stay together: half an interval
 * less of spread, and a thousand characters come in humps that reach the ceiling of requests every hour.
 */
export async function settleAssignment(db: Queryable, settlement: Settlement, now: Date): Promise<void> {
  const { collector, kind, ownerId, collected, notBefore, note } = settlement;
  await db.query(
    `UPDATE collector_assignments
        SET last_collected_at = CASE WHEN $3 THEN $4 ELSE last_collected_at END,
            next_collection_at = CASE
              WHEN last_collected_at IS NULL
              THEN greatest($4::timestamptz, $5) + make_interval(mins => collection_interval_minutes) * random()
              ELSE greatest($4::timestamptz + make_interval(mins => collection_interval_minutes), $5) END, note = $6
      WHERE lower(collector_type) = $1 AND ${kind}_id = $2`,
    [collector, ownerId, collected, now, notBefore ?? null, note ?? null],
  );
}

export interface EnabledAssignment {
  readonly collector: string;
  /** `character/90000001`. */
  readonly target: string;
  /** Between two runs. */
  readonly minutes: number;
  readonly note: string | undefined;
}

/** What is assigned and enabled, by owner; of one collector where it is named. */
export async function readEnabledAssignments(
  db: Queryable,
  collector?: string,
): Promise<EnabledAssignment[]> {
  const { rows } = await db.query<{
    collector: string;
    target: string;
    minutes: number;
    note: string | null;
  }>(
    `SELECT lower(collector_type) AS collector, collection_interval_minutes AS minutes, note,
            CASE WHEN character_id IS NULL THEN 'corporation/' || corporation_id
                 ELSE 'character/' || character_id END AS target
       FROM collector_assignments WHERE is_enabled AND ($1::text IS NULL OR lower(collector_type) = $1) ORDER BY 4, 1`,
    [collector ?? null],
  );
  return rows.map((row) => ({ ...row, note: row.note ?? undefined }));
}
