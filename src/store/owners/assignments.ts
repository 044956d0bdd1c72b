import type { OwnerKind } from '../../collectors/targets.ts';
import type { Queryable } from '../database.ts';

/** A row of `collector_assignments`. */
export interface AssignmentRow {
  readonly id: number;
  /** `character/90000001` */
  readonly target: string;
  /** The owner's name, empty while it is not known. */
  readonly owner: string;
  /** `WALLET` */
  readonly type: string;
  readonly isEnabled: boolean;
  readonly intervalMinutes: number;
  readonly lastCollectedAt: Date | null;
  /** Null: at once. */
  readonly nextCollectionAt: Date | null;
  readonly note: string | null;
}

/** An assignment to be added. */
export interface AssignmentDraft {
  readonly kind: OwnerKind;
  readonly ownerId: number;
  readonly type: string;
  readonly intervalMinutes: number;
}

const OWNERS = { character: 'characters', corporation: 'corporations' } as const;

/** The collector type as we write it, `WALLET`, however it was inserted. */
const TYPE = `upper(replace(a.collector_type, '-', '_'))`;

const VIEW = `SELECT a.id, coalesce('character/' || a.character_id, 'corporation/' || a.corporation_id) AS target,
    coalesce(c.name, k.name, '') AS owner, ${TYPE} AS type, a.is_enabled AS "isEnabled",
    a.collection_interval_minutes AS "intervalMinutes", a.last_collected_at AS "lastCollectedAt",
    a.next_collection_at AS "nextCollectionAt", a.note
  FROM collector_assignments a LEFT JOIN characters c USING (character_id)
  LEFT JOIN corporations k ON k.corporation_id = a.corporation_id`;

export async function readAssignments(db: Queryable): Promise<AssignmentRow[]> {
  const { rows } = await db.query<AssignmentRow>(
    `${VIEW} ORDER BY a.corporation_id NULLS FIRST, a.character_id, a.collector_type`,
  );
  return rows;
}

export async function readAssignment(db: Queryable, id: number): Promise<AssignmentRow | undefined> {
  const { rows } = await db.query<AssignmentRow>(`${VIEW} WHERE a.id = $1`, [id]);
  return rows[0];
}

/** The assignment of a collector to an owner. */
export async function findAssignment(
  db: Queryable,
  { kind, ownerId, type }: Pick<AssignmentDraft, 'kind' | 'ownerId' | 'type'>,
): Promise<AssignmentRow | undefined> {
  const { rows } = await db.query<AssignmentRow>(`${VIEW} WHERE a.${kind}_id = $1 AND ${TYPE} = $2`, [
    ownerId,
    type,
  ]);
  return rows[0];
}

/** Whether the owner has a row in `characters` or `corporations`. */
export async function isOwnerKnown(db: Queryable, kind: OwnerKind, id: number): Promise<boolean> {
  const { rows } = await db.query(`SELECT 1 FROM ${OWNERS[kind]} WHERE ${kind}_id = $1`, [id]);
  return rows.length > 0;
}

/** Adds an assignment that is due at once and returns its id. Undefined when there is one, which stays as it is. */
export async function addAssignment(
  db: Queryable,
  { kind, ownerId, type, intervalMinutes }: AssignmentDraft,
  now: Date,
): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>(
    `INSERT INTO collector_assignments (${kind}_id, collector_type, collection_interval_minutes, created_at, updated_at)
     SELECT $1, $2, $3, $4, $4
      WHERE NOT EXISTS (SELECT FROM collector_assignments a WHERE a.${kind}_id = $1 AND ${TYPE} = $2) ON CONFLICT (collector_type, character_id, corporation_id) DO NOTHING RETURNING id`,
    [ownerId, type, intervalMinutes, now],
  );
  return rows[0]?.id;
}

/** Changes an assignment. One that is enabled, or gets a shorter interval, is due at once. Returns whether it exists. */
export async function changeAssignment(
  db: Queryable,
  id: number,
  change: { readonly isEnabled?: boolean | undefined; readonly intervalMinutes?: number | undefined },
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE collector_assignments
        SET is_enabled = coalesce($2::boolean, is_enabled),
            collection_interval_minutes = coalesce($3::integer, collection_interval_minutes),
            next_collection_at = CASE WHEN $2::boolean OR $3::integer < collection_interval_minutes THEN NULL
                                      ELSE next_collection_at END,
            note = CASE WHEN $2::boolean THEN NULL ELSE note END, updated_at = $4
      WHERE id = $1`,
    [id, change.isEnabled ?? null, change.intervalMinutes ?? null, now],
  );
  return rowCount === 1;
}

/**
 * Applies what people change by SQL: a disabled assignment is due when it is enabled, and one whose interval became
 * shorter than it was planned by is due at once.
 */
export async function reconcileAssignments(db: Queryable): Promise<void> {
  await db.query(
    `UPDATE collector_assignments SET next_collection_at = NULL, planned_minutes = NULL
      WHERE next_collection_at IS NOT NULL AND (NOT is_enabled OR collection_interval_minutes < planned_minutes)`,
  );
}

/** An enabled assignment that no active login serves, and the logins that could serve it. */
export interface UnservedAssignment {
  readonly id: number;
  readonly kind: OwnerKind;
  readonly ownerId: number;
  readonly logins: readonly {
    readonly characterId: number;
    readonly name: string;
    readonly reason: string | null;
  }[];
}

/** The logins that can serve assignment `a`. */
const LOGINS = `FROM esi_tokens t JOIN characters c USING (character_id)
    WHERE (c.character_id = a.character_id OR c.corporation_id = a.corporation_id)`;

/** Enabled assignments without a note that no active login serves. */
export async function readUnservedAssignments(db: Queryable): Promise<UnservedAssignment[]> {
  const { rows } = await db.query<UnservedAssignment>(
    `SELECT a.id, CASE WHEN a.character_id IS NULL THEN 'corporation' ELSE 'character' END AS kind,
            coalesce(a.character_id, a.corporation_id) AS "ownerId",
            coalesce((SELECT jsonb_agg(jsonb_build_object('characterId', c.character_id, 'name', c.name,
                                                          'reason', t.inactive_reason) ORDER BY c.character_id) ${LOGINS}),
                     '[]') AS logins
       FROM collector_assignments a
      WHERE a.is_enabled AND a.note IS NULL AND NOT EXISTS (SELECT ${LOGINS} AND t.is_active)`,
  );
  return rows;
}

/** Sets the notes of assignments, except where somebody has logged in meanwhile. */
export async function setAssignmentNotes(
  db: Queryable,
  notes: readonly { readonly id: number; readonly note: string }[],
  now: Date,
): Promise<void> {
  if (notes.length === 0) return;
  await db.query(
    `UPDATE collector_assignments a SET note = n.note, updated_at = $2
       FROM json_to_recordset($1) AS n (id bigint, note text) WHERE a.id = n.id AND a.note IS NULL AND NOT EXISTS (SELECT ${LOGINS} AND t.is_active)`,
    [JSON.stringify(notes), now],
  );
}

/** Deletes an assignment. Returns whether it existed. */
export async function removeAssignment(db: Queryable, id: number): Promise<boolean> {
  const { rowCount } = await db.query(`DELETE FROM collector_assignments WHERE id = $1`, [id]);
  return rowCount === 1;
}

/** The corporation of a character, as ESI last stated it. */
export async function readMembership(
  db: Queryable,
  characterId: number,
): Promise<{ corporationId: number | null; corporation: string | null } | undefined> {
  const { rows } = await db.query<{ corporationId: number | null; corporation: string | null }>(
    `SELECT c.corporation_id AS "corporationId", nullif(k.name, '') AS corporation
       FROM characters c LEFT JOIN corporations k USING (corporation_id) WHERE c.character_id = $1`,
    [characterId],
  );
  return rows[0];
}
