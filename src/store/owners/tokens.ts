import type { PoolClient } from 'pg';
import type { Queryable } from '../database.ts';

/** The reason of a login that is off without one: people disable logins by SQL, too. */
export const DISABLED_BY_HAND = 'The login is disabled. "eve-collector tokens enable" enables it.';

/** A row of `esi_tokens`. Tokens are encrypted, or plaintext where somebody has just inserted them by SQL. */
export interface StoredToken {
  readonly id: number;
  readonly characterId: number;
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly expiresAt: Date | null;
  readonly ownerHash: string | null;
  readonly isActive: boolean;
  /** Why the login is not active, in plain words. */
  readonly reason: string | null;
  /** When EVE first rejected the refresh token; null when it did not, or when the login was refreshed since. */
  readonly rejectedAt: Date | null;
}

const TOKEN = `SELECT id, character_id AS "characterId", access_token AS "accessToken", refresh_token AS "refreshToken",
    expires_at AS "expiresAt", nullif(owner_hash, '') AS "ownerHash", is_active AS "isActive", inactive_reason AS reason,
    rejected_at AS "rejectedAt"
  FROM esi_tokens`;

/** The token of a character. */
export async function readToken(db: Queryable, characterId: number): Promise<StoredToken | undefined> {
  const { rows } = await db.query<StoredToken>(`${TOKEN} WHERE character_id = $1`, [characterId]);
  return rows[0];
}

export async function readTokenById(db: Queryable, id: number): Promise<StoredToken | undefined> {
  const { rows } = await db.query<StoredToken>(`${TOKEN} WHERE id = $1`, [id]);
  return rows[0];
}

/** A token, locked until the transaction ends. With `skipLocked` undefined when another transaction has it. */
export async function lockToken(
  client: PoolClient,
  id: number,
  { skipLocked }: { readonly skipLocked: boolean },
): Promise<StoredToken | undefined> {
  const { rows } = await client.query<StoredToken>(
    `${TOKEN} WHERE id = $1 FOR UPDATE ${skipLocked ? 'SKIP LOCKED' : ''}`,
    [id],
  );
  return rows[0];
}

/** The next tokens after an id, in the order of their ids. */
export async function readTokensAfter(db: Queryable, id: number, limit: number): Promise<StoredToken[]> {
  const { rows } = await db.query<StoredToken>(`${TOKEN} WHERE id > $1 ORDER BY id LIMIT $2`, [id, limit]);
  return rows;
}

/** Condition that a column holds plaintext: not empty, and not as src/secrets/cipher.ts encrypts. */
const IS_PLAINTEXT = String.raw`!~ '^\s*(v1\.[0-9a-f]{8}\.|$)'`;

/** A token that looks fine is checked once in so many calls: once an hour, with one call per minute. */
const CHECK_CYCLE = 60;

/**
 * The next tokens after an id that need a check: plaintext, empty, off for one of `faults`, and a sixtieth of all others,
 * which `turn` selects.
 */
export async function readTokensToCheck(
  db: Queryable,
  options: {
    readonly id: number;
    readonly limit: number;
    readonly faults: readonly string[];
    readonly turn: number;
  },
): Promise<StoredToken[]> {
  const { rows } = await db.query<StoredToken>(
    `${TOKEN} WHERE id > $1 AND (access_token ${IS_PLAINTEXT} OR refresh_token ${IS_PLAINTEXT}
        OR is_active AND concat(access_token, refresh_token) ~ '^\\s*$' OR inactive_reason = ANY($3)
        OR id % ${CHECK_CYCLE} = $4::int % ${CHECK_CYCLE})
      ORDER BY id LIMIT $2`,
    [options.id, options.limit, options.faults, options.turn],
  );
  return rows;
}

/** A login as people may see it: no column of it is a secret. */
export interface TokenRow {
  readonly id: number;
  readonly characterId: number;
  readonly name: string;
  readonly corporationId: number | null;
  readonly corporation: string | null;
  readonly scopes: string;
  readonly isActive: boolean;
  readonly reason: string | null;
  readonly expiresAt: Date | null;
  readonly lastRefreshedAt: Date | null;
}

/** All logins, by name. */
export async function readTokenRows(db: Queryable): Promise<TokenRow[]> {
  const { rows } = await db.query<TokenRow>(
    `SELECT t.id, t.character_id AS "characterId", coalesce(nullif(c.name, ''), t.character_name, '') AS name,
            c.corporation_id AS "corporationId", nullif(k.name, '') AS corporation, t.scopes,
            t.is_active AS "isActive", t.inactive_reason AS reason, t.expires_at AS "expiresAt",
            t.last_refreshed_at AS "lastRefreshedAt"
       FROM esi_tokens t JOIN characters c USING (character_id) LEFT JOIN corporations k USING (corporation_id)
      ORDER BY name, t.id`,
  );
  return rows;
}

/** What a login or a refresh brought, the tokens encrypted. */
export interface EncryptedGrant {
  readonly characterId: number;
  readonly name: string;
  readonly ownerHash: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
}

/** Stores a login: character, token and scopes. What was denied to the previous login is forgotten. */
export async function insertGrant(db: Queryable, grant: EncryptedGrant, now: Date): Promise<void> {
  const { characterId, name, ownerHash, accessToken, refreshToken, scopes, expiresAt } = grant;
  await db.query(
    `INSERT INTO characters (character_id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)
     ON CONFLICT (character_id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at`,
    [characterId, name, now],
  );
  const { rows } = await db.query<{ id: number }>(
    `INSERT INTO esi_tokens (character_id, character_name, owner_hash, access_token, refresh_token, expires_at, scopes,
                             last_refreshed_at, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)
     ON CONFLICT (character_id) DO UPDATE
        SET character_name = excluded.character_name, owner_hash = excluded.owner_hash,
            access_token = excluded.access_token, refresh_token = excluded.refresh_token, token_type = 'Bearer',
            expires_at = excluded.expires_at, scopes = excluded.scopes, is_active = true, inactive_reason = NULL,
            last_refreshed_at = excluded.last_refreshed_at, rejected_at = NULL, updated_at = excluded.updated_at
     RETURNING id`,
    [characterId, name, ownerHash, accessToken, refreshToken, expiresAt, scopes.join(','), now],
  );
  await splitScopes(db, now, rows[0]!.id);
  await db.query('DELETE FROM esi_refusals WHERE character_id = $1', [characterId]);
}

/** Stores a refreshed login, and the character's name, which may be unknown or new. A row that was deleted meanwhile stays deleted. */
export async function updateGrant(
  db: Queryable,
  id: number,
  grant: EncryptedGrant,
  now: Date,
): Promise<void> {
  const { characterId, name, ownerHash, accessToken, refreshToken, scopes, expiresAt } = grant;
  await db.query(`UPDATE characters SET name = $2, updated_at = $3 WHERE character_id = $1 AND name <> $2`, [
    characterId,
    name,
    now,
  ]);
  await db.query(
    `UPDATE esi_tokens SET access_token = $2, refresh_token = $3, expires_at = $4, owner_hash = $5, character_name = $6,
            scopes = $7, last_refreshed_at = $8, rejected_at = NULL, updated_at = $8 WHERE id = $1`,
    [id, accessToken, refreshToken, expiresAt, ownerHash, name, scopes.join(','), now],
  );
  await db.query('DELETE FROM esi_token_scopes WHERE token_id = $1 AND scope <> ALL($2)', [id, scopes]);
  await splitScopes(db, now, id);
}

/** Stores a rotated refresh token: the old one may be void from here on, whatever else the answer of the SSO holds. */
export async function updateRefreshToken(db: Queryable, id: number, encrypted: string): Promise<void> {
  await db.query('UPDATE esi_tokens SET refresh_token = $2, rejected_at = NULL WHERE id = $1', [
    id,
    encrypted,
  ]);
}

/** Records that EVE rejected a refresh token, unless the row has another one by now. */
export async function recordRejection(
  db: Queryable,
  { id, refreshToken }: Pick<StoredToken, 'id' | 'refreshToken'>,
  now: Date,
): Promise<void> {
  await db.query('UPDATE esi_tokens SET rejected_at = $3 WHERE id = $1 AND refresh_token = $2', [
    id,
    refreshToken,
    now,
  ]);
}

/** Replaces the tokens of a row by the same ones, encrypted. */
export async function updateTokens(
  db: Queryable,
  { id, accessToken, refreshToken }: Pick<StoredToken, 'id' | 'accessToken' | 'refreshToken'>,
  now: Date,
): Promise<void> {
  await db.query(
    'UPDATE esi_tokens SET access_token = $2, refresh_token = $3, rejected_at = NULL, updated_at = $4 WHERE id = $1',
    [id, accessToken, refreshToken, now],
  );
}

/**
 * Brings `esi_token_scopes` in line with the comma-separated scopes, of one token or of all. A token whose scopes are
 * not known yet keeps its rows.
 */
export async function splitScopes(db: Queryable, now: Date, tokenId?: number): Promise<void> {
  const wanted = `SELECT t.id, s.scope FROM esi_tokens t
      CROSS JOIN LATERAL regexp_split_to_table(t.scopes, '[,\\s]+') AS s (scope)
      WHERE s.scope ~ '^[\\w.-]{1,200}$' AND ($1::bigint IS NULL OR t.id = $1)`;
  await db.query(
    `WITH wanted AS (${wanted})
     DELETE FROM esi_token_scopes h WHERE h.token_id IN (SELECT id FROM wanted)
        AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.id = h.token_id AND w.scope = h.scope)`,
    [tokenId ?? null],
  );
  await db.query(
    `WITH wanted AS (${wanted})
     INSERT INTO esi_token_scopes (token_id, scope, granted_at)
     SELECT w.id, w.scope, $2 FROM wanted w
      WHERE NOT EXISTS (SELECT 1 FROM esi_token_scopes h WHERE h.token_id = w.id AND h.scope = w.scope)
     ON CONFLICT DO NOTHING`,
    [tokenId ?? null, now],
  );
}

/** Clears the reasons of active logins, which would be taken for those of the next time they are off. */
export async function clearStaleReasons(db: Queryable): Promise<void> {
  await db.query(
    'UPDATE esi_tokens SET inactive_reason = NULL WHERE is_active AND inactive_reason IS NOT NULL',
  );
}

/**
 * Disables a login until somebody logs in again, with the reason in plain words. The reason also becomes the note of the
 * assignments that no other login serves. `tried`: the encrypted refresh token that the reason is about; false, and
 * nothing is done, when the row has another one by now.
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
          noted AS (UPDATE collector_assignments a SET note = $2, updated_at = $3
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

/** Enables a login, or disables it with a reason in plain words, which becomes the note of its character's assignments. */
export async function setTokenActive(
  db: Queryable,
  id: number,
  reason: string | null,
  now: Date,
): Promise<void> {
  const { rows } = await db.query<{ characterId: number }>(
    `UPDATE esi_tokens SET is_active = $2::text IS NULL, inactive_reason = $2, rejected_at = NULL, updated_at = $3
      WHERE id = $1
     RETURNING character_id AS "characterId"`,
    [id, reason, now],
  );
  if (rows[0]) await setCharacterNote(db, rows[0].characterId, reason, now);
}

/** Deletes a login. The assignments of its character stay, with the reason as their note. Returns whether it existed. */
export async function deleteTokenRow(db: Queryable, id: number, reason: string, now: Date): Promise<boolean> {
  const { rows } = await db.query<{ characterId: number }>(
    'DELETE FROM esi_tokens WHERE id = $1 RETURNING character_id AS "characterId"',
    [id],
  );
  if (!rows[0]) return false;
  await setCharacterNote(db, rows[0].characterId, reason, now);
  return true;
}

/**
 * Sets why the assignments of a character are blocked. Null resumes them at once, and the blocked ones of its
 * corporation.
 */
export async function setCharacterNote(
  db: Queryable,
  characterId: number,
  note: string | null,
  now: Date,
): Promise<void> {
  await db.query(
    `UPDATE collector_assignments
        SET note = $2, updated_at = $3, next_collection_at = CASE WHEN $2::text IS NULL THEN NULL ELSE next_collection_at END
      WHERE character_id = $1 AND note IS DISTINCT FROM $2`,
    [characterId, note, now],
  );
  if (note === null) await resumeCorporation(db, characterId, now);
}

/** Resumes the blocked assignments of a character's corporation: its login may be what they lacked. */
export async function resumeCorporation(db: Queryable, characterId: number, now: Date): Promise<void> {
  await db.query(
    `UPDATE collector_assignments SET note = NULL, next_collection_at = NULL, updated_at = $2
      WHERE note IS NOT NULL AND corporation_id = (SELECT corporation_id FROM characters WHERE character_id = $1)`,
    [characterId, now],
  );
}

/** The name of a character; `character 90000001` while it is unknown. */
export async function readCharacterName(db: Queryable, characterId: number): Promise<string> {
  const { rows } = await db.query<{ name: string }>('SELECT name FROM characters WHERE character_id = $1', [
    characterId,
  ]);
  return rows[0]?.name || `character ${characterId}`;
}
