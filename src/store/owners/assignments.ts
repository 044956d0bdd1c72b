import type { ClientBase, Pool } from 'pg';
import type { OwnerKind } from '../../collectors/targets.ts';
import { SWITCHED_OFF } from './access.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** What is collected for whom, as it stands in `collector_assignments`. */
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
  /** Null is now. */
  readonly nextCollectionAt: Date | null;
  readonly note: string | null;
}

export interface AssignmentDraft {
  readonly kind: OwnerKind;
  readonly ownerId: number;
  readonly type: string;
  readonly intervalMinutes: number;
}

const OWNERS = { character: 'characters', corporation: 'corporations' } as const;

/** As we write it: `WALLET`, whatever people inserted. */
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

/** Whether an owner is in the tables. */
export async function isOwnerKnown(db: Queryable, kind: OwnerKind, id: number): Promise<boolean> {
  const { rows } = await db.query(`SELECT 1 FROM ${OWNERS[kind]} WHERE ${kind}_id = $1`, [id]);
  return rows.length > 0;
}

/** Adds an assignment that is due now; undefined when there is one already, which stays as it is. */
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

/** Changes an assignment. One that is enabled, or is to be collected more often, is due now. False when there is no such assignment. */
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

/** The logins that can be asked with for assignment `a`. */
const LOGINS = `FROM esi_tokens t JOIN characters c USING (character_id)
    WHERE (c.character_id = a.character_id OR c.corporation_id = a.corporation_id)`;

/**
 * Sees to what people do by SQL: what is switched off is due when it is switched on, and so is what is to be collected
 * more often than it was planned; what nobody is logged in for says so, or why the logins there are do not count.
 */
export async function reconcileAssignments(db: Queryable, now: Date): Promise<void> {
  await db.query(
    `UPDATE collector_assignments SET next_collection_at = NULL, planned_minutes = NULL
      WHERE next_collection_at IS NOT NULL AND (NOT is_enabled OR collection_interval_minutes < planned_minutes)`,
  );
  await db.query(
    `UPDATE collector_assignments a
        SET updated_at = $1,
            note = coalesce(
              (SELECT left(string_agg(coalesce(nullif(c.name, ''), 'character ' || c.character_id) || ': '
                                      || coalesce(t.inactive_reason, $2), ' ' ORDER BY c.character_id), 2000) ${LOGINS}),
              CASE WHEN character_id IS NULL THEN 'No member of corporation ' || corporation_id || ' is logged in'
                   ELSE 'Character ' || character_id || ' is not logged in' END
              || ', so nothing can be asked: "eve-collector tokens add".')
      WHERE is_enabled AND note IS NULL AND NOT EXISTS (SELECT ${LOGINS} AND t.is_active)`,
    [now, SWITCHED_OFF],
  );
}

export async function removeAssignment(db: Queryable, id: number): Promise<boolean> {
  const { rowCount } = await db.query(`DELETE FROM collector_assignments WHERE id = $1`, [id]);
  return rowCount === 1;
}

/** The corporation and the roles of a character, as last told. */
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
