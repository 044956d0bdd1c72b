import type { ClientBase, Pool } from 'pg';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** What a login brought, the tokens sealed. */
export interface SealedGrant {
  readonly characterId: number;
  readonly name: string;
  readonly ownerHash: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
}

/** A token as people may see it: no column of it is a secret. */
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

/** What is to be sealed, or was: as it stands in the columns. */
export interface TokenSecrets {
  readonly id: number;
  readonly characterId: number;
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly isActive: boolean;
  readonly reason: string | null;
}

const SECRETS = `SELECT id, character_id AS "characterId", access_token AS "accessToken",
    refresh_token AS "refreshToken", is_active AS "isActive", inactive_reason AS reason FROM esi_tokens`;

/** What a login replaces, locked until the transaction ends. */
export async function lockFormerToken(
  db: Queryable,
  characterId: number,
): Promise<{ ownerHash: string | null } | undefined> {
  const { rows } = await db.query<{ ownerHash: string | null }>(
    `SELECT owner_hash AS "ownerHash" FROM esi_tokens WHERE character_id = $1 FOR UPDATE`,
    [characterId],
  );
  return rows[0];
}

/** Keeps a login: character, token, and the scopes one by one. What was refused the old token is open again. */
export async function saveGrant(db: Queryable, grant: SealedGrant, now: Date): Promise<void> {
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
            last_refreshed_at = excluded.last_refreshed_at, updated_at = excluded.updated_at
     RETURNING id`,
    [characterId, name, ownerHash, accessToken, refreshToken, expiresAt, scopes.join(','), now],
  );
  await splitScopes(db, now, rows[0]!.id);
  await db.query(`DELETE FROM esi_refusals WHERE character_id = $1`, [characterId]);
}

/**
 * Brings `esi_token_scopes` in line with the comma-separated scopes, of one token or of all. A token whose scopes are
 * not told yet keeps its rows.
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

/** A login that is on has no reason to be off: one that stayed would be taken for that of the next time it is. */
export async function clearReasons(db: Queryable): Promise<void> {
  await db.query(
    'UPDATE esi_tokens SET inactive_reason = NULL WHERE is_active AND inactive_reason IS NOT NULL',
  );
}

export async function readTokens(db: Queryable): Promise<TokenRow[]> {
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

/** The sealed columns of one token. */
export async function readSecrets(db: Queryable, id: number): Promise<TokenSecrets | undefined> {
  const { rows } = await db.query<TokenSecrets>(`${SECRETS} WHERE id = $1`, [id]);
  return rows[0];
}

/** The next tokens after `id`, by their ids; nothing is locked. */
export async function readSecretsAfter(db: Queryable, id: number, limit: number): Promise<TokenSecrets[]> {
  const { rows } = await db.query<TokenSecrets>(`${SECRETS} WHERE id > $1 ORDER BY id LIMIT $2`, [id, limit]);
  return rows;
}

/** How a sealed text begins, see src/secrets/cipher.ts; nothing and blanks are no text. */
const IN_THE_CLEAR = String.raw`!~ '^\s*(v1\.[0-9a-f]{8}\.|$)'`;

/** What looks sound has its turn once in so many looks: once an hour, where one looks each minute. */
const TURNS = 60;

/**
 * The next tokens after `id` that need a look: in the clear, empty, off for one of `faults`, and the `turn`-th part of
 * all others. Nothing is locked.
 */
export async function readDoubtful(
  db: Queryable,
  { id, limit, faults, turn }: { id: number; limit: number; faults: readonly string[]; turn: number },
): Promise<TokenSecrets[]> {
  const { rows } = await db.query<TokenSecrets>(
    `${SECRETS} WHERE id > $1 AND (access_token ${IN_THE_CLEAR} OR refresh_token ${IN_THE_CLEAR}
        OR is_active AND concat(access_token, refresh_token) ~ '^\\s*$' OR inactive_reason = ANY($3)
        OR id % ${TURNS} = $4::int % ${TURNS})
      ORDER BY id LIMIT $2`,
    [id, limit, faults, turn],
  );
  return rows;
}

/** One token, locked until the transaction ends. With `skip` a token that another transaction has is passed over. */
export async function lockSecrets(
  db: Queryable,
  id: number,
  { skip }: { skip: boolean },
): Promise<TokenSecrets | undefined> {
  const { rows } = await db.query<TokenSecrets>(
    `${SECRETS} WHERE id = $1 FOR UPDATE ${skip ? 'SKIP LOCKED' : ''}`,
    [id],
  );
  return rows[0];
}

export async function writeSecrets(
  db: Queryable,
  token: Pick<TokenSecrets, 'id' | 'accessToken' | 'refreshToken'>,
  now: Date,
): Promise<void> {
  await db.query(
    `UPDATE esi_tokens SET access_token = $2, refresh_token = $3, updated_at = $4 WHERE id = $1`,
    [token.id, token.accessToken, token.refreshToken, now],
  );
}

/**
 * Switches a token on, or off with a reason in plain words. What rests for its character goes on, or says why it rests.
 * False when there is no such token.
 */
export async function setTokenActive(
  db: Queryable,
  id: number,
  reason: string | null,
  now: Date,
): Promise<boolean> {
  const { rows } = await db.query<{ characterId: number }>(
    `UPDATE esi_tokens SET is_active = $2::text IS NULL, inactive_reason = $2, updated_at = $3 WHERE id = $1
     RETURNING character_id AS "characterId"`,
    [id, reason, now],
  );
  if (!rows[0]) return false;
  await setCharacterNote(db, rows[0].characterId, reason, now);
  return true;
}

/** Deletes a token; what was assigned to its character stays, and says why it rests. */
export async function removeToken(db: Queryable, id: number, reason: string, now: Date): Promise<boolean> {
  const { rows } = await db.query<{ characterId: number }>(
    `DELETE FROM esi_tokens WHERE id = $1 RETURNING character_id AS "characterId"`,
    [id],
  );
  if (!rows[0]) return false;
  await setCharacterNote(db, rows[0].characterId, reason, now);
  return true;
}

/** Why the assignments of a character rest; null lets them go on, at once, and those of its corporation that rest. */
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

/** What rests of a character's corporation goes on at once: it may be what was missing. */
export async function resumeCorporation(db: Queryable, characterId: number, now: Date): Promise<void> {
  await db.query(
    `UPDATE collector_assignments SET note = NULL, next_collection_at = NULL, updated_at = $2
      WHERE note IS NOT NULL AND corporation_id = (SELECT corporation_id FROM characters WHERE character_id = $1)`,
    [characterId, now],
  );
}
