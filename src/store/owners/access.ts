import { bulkhead, type BulkheadPolicy } from 'cockatiel';
import type { Pool, PoolClient } from 'pg';
import type { Database } from '../database.ts';

type Queryable = Pick<Pool | PoolClient, 'query'>;

/** Why a token without a reason of its own is off: people switch them off by SQL, too. */
export const SWITCHED_OFF =
  'The login is switched off by hand: "eve-collector tokens enable" switches it on.';

/** A character whose token may open a route, and what speaks against it. */
export interface Candidate {
  readonly characterId: number;
  readonly name: string;
  readonly isActive: boolean;
  /** Why the token is not active, where it is not. */
  readonly inactiveReason: string;
  readonly scopes: readonly string[];
  /** Somebody inserted the login by SQL, without its scopes, and no refresh has told them yet. */
  readonly isUntold: boolean;
  readonly roles: readonly string[];
  readonly rolesUntil: Date | undefined;
  /** Refused before, and not worth asking again until then. */
  readonly refusedUntil: Date | undefined;
  readonly refusal: string | undefined;
}

interface CandidateRow {
  character_id: number;
  name: string;
  is_active: boolean;
  inactive_reason: string | null;
  scopes: string[];
  last_refreshed_at: Date | null;
  roles: string[];
  roles_until: Date | null;
  retry_at: Date | null;
  reason: string | null;
}

/**
 * Characters with a login that could open something: one character, the members of a corporation, or anybody. Those that
 * were refused least and longest ago come first.
 */
export async function readCandidates(
  db: Queryable,
  who: { readonly characterId?: number; readonly corporationId?: number },
  subject: string,
): Promise<Candidate[]> {
  const { rows } = await db.query<CandidateRow>(
    `SELECT c.character_id, coalesce(nullif(c.name, ''), t.character_name, 'character ' || c.character_id) AS name,
            t.is_active, t.inactive_reason, t.last_refreshed_at, c.roles, c.roles_until, r.retry_at, r.reason,
            ARRAY(SELECT s.scope FROM esi_token_scopes s WHERE s.token_id = t.id) AS scopes
       FROM characters c JOIN esi_tokens t USING (character_id)
       LEFT JOIN esi_refusals r ON r.character_id = c.character_id AND r.subject = $3
      WHERE ($1::bigint IS NULL OR c.character_id = $1) AND ($2::bigint IS NULL OR c.corporation_id = $2)
      ORDER BY r.refusals NULLS FIRST, r.refused_at NULLS FIRST, c.character_id`,
    [who.characterId ?? null, who.corporationId ?? null, subject],
  );
  return rows.map((row) => ({
    characterId: row.character_id,
    name: row.name,
    isActive: row.is_active,
    inactiveReason: row.inactive_reason ?? SWITCHED_OFF,
    scopes: row.scopes,
    isUntold: row.scopes.length === 0 && row.last_refreshed_at === null,
    roles: row.roles,
    rolesUntil: row.roles_until ?? undefined,
    refusedUntil: row.retry_at ?? undefined,
    refusal: row.reason ?? undefined,
  }));
}

/** The first refusal is worth a second question after an hour, the tenth after a week: what is closed seldom opens. */
export async function recordDenial(
  db: Queryable,
  refusal: { readonly characterId: number; readonly subject: string; readonly reason: string },
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO esi_refusals AS r (character_id, subject, reason, refused_at, retry_at)
     VALUES ($1, $2, $3, $4, $4::timestamptz + interval '1 hour')
     ON CONFLICT (character_id, subject) DO UPDATE
        SET refusals = r.refusals + 1, reason = excluded.reason, refused_at = excluded.refused_at,
            retry_at = excluded.refused_at + least(interval '1 hour' * 2 ^ least(r.refusals, 10), interval '7 days')
      WHERE r.retry_at <= excluded.refused_at`, // requests that were under way together are refused once
    [refusal.characterId, refusal.subject, refusal.reason, now],
  );
}

/** What opened once is no longer refused. */
export async function clearDenial(db: Queryable, characterId: number, subject: string): Promise<void> {
  await db.query('DELETE FROM esi_refusals WHERE character_id = $1 AND subject = $2', [characterId, subject]);
}

export async function writeRoles(
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

/** Roles are asked again before the next use: ESI has just shown that they are others than we thought. */
export async function expireRoles(db: Queryable, characterId: number): Promise<void> {
  await db.query('UPDATE characters SET roles_until = NULL WHERE character_id = $1', [characterId]);
}

/** Tokens as they stand in the table: sealed, or in the clear where somebody has just inserted them by SQL. */
export interface StoredToken {
  readonly id: number;
  readonly accessToken: string | undefined;
  readonly refreshToken: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly ownerHash: string | undefined;
  readonly isActive: boolean;
  readonly inactiveReason: string;
}

/** Holds a character's login until the transaction of `client` ends: one refresh or login at a time, over all workers. */
export async function lockLogin(client: PoolClient, characterId: number): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`login/${characterId}`]);
}

/** By pool, since each process has one. */
const crowds = new WeakMap<Pool, BulkheadPolicy>();

/** Each login that is held takes a connection and needs another: with half of all, the others are never waited for in vain. */
function refreshLimiter(pool: Pool): BulkheadPolicy {
  const crowd = crowds.get(pool) ?? bulkhead(Math.max(1, Math.floor(pool.options.max / 2)), Infinity);
  crowds.set(pool, crowd);
  return crowd;
}

/**
 * Does work while it holds a character's login. The row itself stays free, so that what SSO answers is written by another
 * connection and is durable at once.
 */
export async function withLoginLock<T>(
  db: Database,
  characterId: number,
  work: () => Promise<T>,
): Promise<T> {
  return refreshLimiter(db.pool).execute(() =>
    db.transaction(async (client) => {
      await lockLogin(client, characterId);
      return work();
    }),
  );
}

/** The token of a character. */
export async function readToken(db: Queryable, characterId: number): Promise<StoredToken | undefined> {
  const { rows } = await db.query<{
    id: number;
    access_token: string | null;
    refresh_token: string | null;
    expires_at: Date | null;
    owner_hash: string | null;
    is_active: boolean;
    inactive_reason: string | null;
  }>(
    `SELECT id, access_token, refresh_token, expires_at, owner_hash, is_active, inactive_reason
       FROM esi_tokens WHERE character_id = $1`,
    [characterId],
  );
  const row = rows[0];
  return (
    row && {
      id: row.id,
      accessToken: row.access_token ?? undefined,
      refreshToken: row.refresh_token ?? undefined,
      expiresAt: row.expires_at ?? undefined,
      ownerHash: row.owner_hash || undefined,
      isActive: row.is_active,
      inactiveReason: row.inactive_reason ?? SWITCHED_OFF,
    }
  );
}

/** SSO has given another refresh token: the old one may be void from here on, whatever else its answer is worth. */
export async function writeRefreshToken(db: Queryable, id: number, sealed: string): Promise<void> {
  await db.query('UPDATE esi_tokens SET refresh_token = $2 WHERE id = $1', [id, sealed]);
}

/** What a refresh brought, sealed. */
export interface FreshToken {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: Date;
  readonly ownerHash: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

export async function writeToken(db: Queryable, id: number, fresh: FreshToken, now: Date): Promise<void> {
  await db.query(
    `UPDATE esi_tokens SET access_token = $2, refresh_token = $3, expires_at = $4, owner_hash = $5, character_name = $6,
            scopes = $7, last_refreshed_at = $8, updated_at = $8 WHERE id = $1`,
    [
      ...[id, fresh.accessToken, fresh.refreshToken, fresh.expiresAt, fresh.ownerHash, fresh.name],
      ...[fresh.scopes.join(','), now],
    ],
  );
  await db.query('DELETE FROM esi_token_scopes WHERE token_id = $1 AND scope <> ALL ($2)', [
    id,
    fresh.scopes,
  ]);
  await db.query(
    `INSERT INTO esi_token_scopes (token_id, scope, granted_at) SELECT $1, s, $3 FROM unnest($2::text[]) AS s
     ON CONFLICT DO NOTHING`,
    [id, fresh.scopes, now],
  );
}

/**
 * The token is not used any more until somebody logs in again: `reason` says why, in plain words. It stands with what was
 * collected by this login alone as well. `tried`: the refresh token, as stored, that the reason is about; false when the
 * row has another by now, and nothing is done.
 */
export async function deactivateToken(
  db: Queryable,
  { id, tried }: { readonly id: number; readonly tried: string | undefined },
  reason: string,
  now: Date,
): Promise<boolean> {
  const { rows } = await db.query(
    `WITH lost AS (UPDATE esi_tokens SET is_active = false, inactive_reason = $2, updated_at = $3
                    WHERE id = $1 AND is_active AND ($4::text IS NULL OR refresh_token = $4) RETURNING character_id),
          told AS (UPDATE collector_assignments a SET note = $2, updated_at = $3
                     FROM lost JOIN characters c USING (character_id)
                    WHERE a.character_id = c.character_id
                       OR a.corporation_id = c.corporation_id
                          AND NOT EXISTS (SELECT FROM esi_tokens t JOIN characters m USING (character_id)
                                           WHERE t.is_active AND t.id <> $1 AND m.corporation_id = a.corporation_id))
     SELECT FROM lost`,
    [id, reason, now, tried ?? null],
  );
  return rows.length > 0;
}

/** Ids are bound as numbers: a character's row, or nothing. */
export async function readCharacterName(db: Pick<Database, 'pool'>, characterId: number): Promise<string> {
  const { rows } = await db.pool.query<{ name: string }>(
    'SELECT name FROM characters WHERE character_id = $1',
    [characterId],
  );
  return rows[0]?.name || `character ${characterId}`;
}
