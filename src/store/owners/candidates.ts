import type { Queryable } from '../database.ts';

/** A character whose login may open a route. */
export interface Candidate {
  readonly characterId: number;
  /** Empty while it is unknown. */
  readonly name: string;
  readonly isActive: boolean;
  readonly inactiveReason: string | null;
  readonly scopes: readonly string[];
  /** The login was inserted by SQL without its scopes, and no refresh has brought them yet. */
  readonly hasUnknownScopes: boolean;
  readonly roles: readonly string[];
  /** Until when the roles are known; null: they have to be requested. */
  readonly rolesUntil: Date | null;
  /** ESI denied the subject to this character; it is not requested again until then. */
  readonly deniedUntil: Date | null;
  readonly denial: string | null;
}

/**
 * Characters with a login that may open something: one character, or the members of a corporation. Those that were
 * denied the subject the fewest times and the longest ago come first.
 */
export async function readCandidates(
  db: Queryable,
  owner: { readonly characterId?: number; readonly corporationId?: number },
  subject: string,
): Promise<Candidate[]> {
  const { rows } = await db.query<Candidate>(
    `SELECT c.character_id AS "characterId", coalesce(nullif(c.name, ''), t.character_name, '') AS name,
            t.is_active AS "isActive", t.inactive_reason AS "inactiveReason", s.scopes,
            s.scopes = '{}' AND t.last_refreshed_at IS NULL AS "hasUnknownScopes",
            c.roles, c.roles_until AS "rolesUntil", r.retry_at AS "deniedUntil", r.reason AS denial
       FROM characters c JOIN esi_tokens t USING (character_id)
      CROSS JOIN LATERAL (SELECT ARRAY(SELECT scope FROM esi_token_scopes WHERE token_id = t.id) AS scopes) s
       LEFT JOIN esi_refusals r ON r.character_id = c.character_id AND r.subject = $3
      WHERE ($1::bigint IS NULL OR c.character_id = $1) AND ($2::bigint IS NULL OR c.corporation_id = $2)
      ORDER BY r.refusals NULLS FIRST, r.refused_at NULLS FIRST, c.character_id`,
    [owner.characterId ?? null, owner.corporationId ?? null, subject],
  );
  return rows;
}

/**
 * Records that ESI denied a subject to a character. It is requested again after an hour, and after each further denial twice
 * as late, up to a week: what is closed seldom opens.
 */
export async function recordDenial(
  db: Queryable,
  denial: { readonly characterId: number; readonly subject: string; readonly reason: string },
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO esi_refusals AS r (character_id, subject, reason, refused_at, retry_at)
     VALUES ($1, $2, $3, $4, $4::timestamptz + interval '1 hour')
     ON CONFLICT (character_id, subject) DO UPDATE
        SET refusals = r.refusals + 1, reason = excluded.reason, refused_at = excluded.refused_at,
            retry_at = excluded.refused_at + least(interval '1 hour' * 2 ^ least(r.refusals, 10), interval '7 days')
      WHERE r.retry_at <= excluded.refused_at`, // several requests at once are denied once
    [denial.characterId, denial.subject, denial.reason, now],
  );
}

/** Forgets a denial when the subject has opened. */
export async function clearDenial(db: Queryable, characterId: number, subject: string): Promise<void> {
  await db.query('DELETE FROM esi_refusals WHERE character_id = $1 AND subject = $2', [characterId, subject]);
}

/** Stores the roles of a character in its corporation, and until when they are known. */
export async function updateRoles(
  db: Queryable,
  characterId: number,
  roles: readonly string[],
  until: Date,
): Promise<void> {
  await db.query('UPDATE characters SET roles = $2, roles_until = $3 WHERE character_id = $1', [
    characterId,
    roles,
    until,
  ]);
}

/** Has the roles requested before the next use, because ESI has just shown that they have changed. */
export async function expireRoles(db: Queryable, characterId: number): Promise<void> {
  await db.query('UPDATE characters SET roles_until = NULL WHERE character_id = $1', [characterId]);
}
