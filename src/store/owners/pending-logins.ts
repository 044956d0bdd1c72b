import type { ClientBase, Pool } from 'pg';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** A login that was begun. Only the hash of its state is kept: who reads the table cannot finish a login with it. */
export interface LoginDraft {
  readonly stateHash: string;
  /** Sealed. */
  readonly verifier: string;
  readonly scopes: readonly string[];
}

/** How a login stands: `message` is there when it is over, the character when it went well. */
export interface LoginRow {
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly characterId: number | null;
  readonly message: string | null;
}

/** Keeps a login that was begun, and forgets those begun before `oldest`. */
export async function addLogin(db: Queryable, login: LoginDraft, now: Date, oldest: Date): Promise<void> {
  await db.query(`DELETE FROM esi_logins WHERE created_at < $1`, [oldest]);
  await db.query(
    `INSERT INTO esi_logins (state_hash, verifier, scopes, created_at) VALUES ($1, $2, $3, $4)`,
    [login.stateHash, login.verifier, login.scopes.join(','), now],
  );
}

/** Takes a login for finishing: of any number of callbacks with one state, one gets it. */
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

/** Gives a claimed login back: its code was not used, and the same callback may come again. */
export async function releaseLogin(db: Queryable, stateHash: string): Promise<void> {
  await db.query(`UPDATE esi_logins SET finished_at = NULL WHERE state_hash = $1 AND message IS NULL`, [
    stateHash,
  ]);
}

/** Keeps what came of a login, for whoever waits for it. The verifier has served. */
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

/** Verifiers of logins that nobody has finished, locked until the transaction ends. */
export async function lockVerifiers(db: Queryable): Promise<{ stateHash: string; verifier: string }[]> {
  const { rows } = await db.query<{ stateHash: string; verifier: string }>(
    `SELECT state_hash AS "stateHash", verifier FROM esi_logins WHERE finished_at IS NULL FOR UPDATE`,
  );
  return rows;
}

export async function writeVerifier(db: Queryable, stateHash: string, verifier: string): Promise<void> {
  await db.query(`UPDATE esi_logins SET verifier = $2 WHERE state_hash = $1`, [stateHash, verifier]);
}
