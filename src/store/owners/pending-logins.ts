import type { Queryable } from '../database.ts';

/** A login that was started. Only the hash of its state is stored, so that the table's reader cannot finish it. */
export interface LoginDraft {
  readonly stateHash: string;
  /** Encrypted. */
  readonly verifier: string;
  readonly scopes: readonly string[];
}

/** A login: `message` is set when it has ended, the character when it has succeeded. */
export interface LoginRow {
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly characterId: number | null;
  readonly message: string | null;
}

/** Stores a login that was started, and deletes those started before `oldest`. */
export async function addLogin(db: Queryable, login: LoginDraft, now: Date, oldest: Date): Promise<void> {
  await db.query(`DELETE FROM esi_logins WHERE created_at < $1`, [oldest]);
  await db.query(
    `INSERT INTO esi_logins (state_hash, verifier, scopes, created_at) VALUES ($1, $2, $3, $4)`,
    [login.stateHash, login.verifier, login.scopes.join(','), now],
  );
}

/** Claims a login for finishing it: of several callbacks with one state only one gets it. */
export async function claimLogin(
  db: Queryable,
  stateHash: string,
  now: Date,
  notBefore: Date,
): Promise<Omit<LoginDraft, 'stateHash'> | undefined> {
  const { rows } = await db.query<{ verifier: string; scopes: string }>(
    `UPDATE esi_logins SET finished_at = $2
      WHERE state_hash = $1 AND finished_at IS NULL AND created_at >= $3 RETURNING verifier, scopes`,
    [stateHash, now, notBefore],
  );
  const row = rows[0];
  return row && { verifier: row.verifier, scopes: row.scopes.split(',').filter(Boolean) };
}

/** Releases a claimed login whose code was not used, so that the same callback may come again. */
export async function releaseLogin(db: Queryable, stateHash: string): Promise<void> {
  await db.query(`UPDATE esi_logins SET finished_at = NULL WHERE state_hash = $1 AND message IS NULL`, [
    stateHash,
  ]);
}

/** Records how a login ended, and deletes its verifier. */
export async function recordLoginResult(
  db: Queryable,
  stateHash: string,
  { characterId, message }: { characterId?: number; message: string },
): Promise<void> {
  await db.query(
    `UPDATE esi_logins SET message = $2, character_id = $3, verifier = '' WHERE state_hash = $1`,
    [stateHash, message, characterId ?? null],
  );
}

export async function readLogin(db: Queryable, stateHash: string): Promise<LoginRow | undefined> {
  const { rows } = await db.query<LoginRow>(
    `SELECT created_at AS "createdAt", finished_at AS "finishedAt", character_id AS "characterId", message
       FROM esi_logins WHERE state_hash = $1`,
    [stateHash],
  );
  return rows[0];
}

/** The verifiers of unfinished logins, locked until the transaction ends. */
export async function lockVerifiers(db: Queryable): Promise<{ stateHash: string; verifier: string }[]> {
  const { rows } = await db.query<{ stateHash: string; verifier: string }>(
    `SELECT state_hash AS "stateHash", verifier FROM esi_logins WHERE finished_at IS NULL FOR UPDATE`,
  );
  return rows;
}

export async function writeVerifier(db: Queryable, stateHash: string, verifier: string): Promise<void> {
  await db.query(`UPDATE esi_logins SET verifier = $2 WHERE state_hash = $1`, [stateHash, verifier]);
}
