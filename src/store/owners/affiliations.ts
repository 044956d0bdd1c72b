import type { PoolClient } from 'pg';
import type { Queryable } from '../database.ts';

/** Characters with an active login whose corporation may have changed since it was last requested. */
export async function readStaleAffiliations(db: Queryable, now: Date, limit: number): Promise<number[]> {
  const { rows } = await db.query<{ character_id: number }>(
    `SELECT c.character_id FROM characters c JOIN esi_tokens t USING (character_id)
      WHERE t.is_active AND (c.affiliation_until IS NULL OR c.affiliation_until <= $1)
      ORDER BY c.affiliation_until NULLS FIRST LIMIT $2`,
    [now, limit],
  );
  return rows.map((row) => row.character_id);
}

/** A character's corporation and alliance, as ESI states them. */
export interface Affiliation {
  readonly character_id: number;
  readonly corporation_id: number;
  readonly alliance_id?: number | undefined;
}

/** Corporations with a smaller id are NPC corporations, which have no data that a member could read. */
export const FIRST_PLAYER_CORPORATION = 98_000_000;

/** A character with a login that has changed its corporation. */
export interface Move {
  readonly characterId: number;
  readonly from: number;
  readonly to: number;
  /** The scopes that its login grants. */
  readonly scopes: readonly string[];
}

/**
 * Stores affiliations. The roles of a character that has changed its corporation are cleared. Returns those characters,
 * and the corporations whose name is unknown.
 */
export async function writeAffiliations(
  client: PoolClient,
  affiliations: readonly Affiliation[],
  until: Date,
): Promise<{ moves: Move[]; nameless: number[] }> {
  const json = JSON.stringify(affiliations);
  await client.query(
    `INSERT INTO corporations AS c (corporation_id, alliance_id)
     SELECT DISTINCT ON (corporation_id) corporation_id, alliance_id
       FROM json_to_recordset($1) AS a (corporation_id bigint, alliance_id bigint) ORDER BY corporation_id
     ON CONFLICT (corporation_id) DO UPDATE SET alliance_id = excluded.alliance_id, updated_at = now()
      WHERE c.alliance_id IS DISTINCT FROM excluded.alliance_id`,
    [json],
  );
  const { rows: moves } = await client.query<Move>(
    `SELECT c.character_id AS "characterId", c.corporation_id AS "from", a.corporation_id AS "to",
            array_agg(s.scope) AS scopes
       FROM json_to_recordset($1) AS a (character_id bigint, corporation_id bigint)
       JOIN characters c USING (character_id)
       JOIN esi_tokens t ON t.character_id = c.character_id AND t.is_active
       JOIN esi_token_scopes s ON s.token_id = t.id
      WHERE a.corporation_id <> c.corporation_id AND a.corporation_id >= ${FIRST_PLAYER_CORPORATION}
      GROUP BY 1, 2, 3`,
    [json],
  );
  await client.query(
    `UPDATE characters c
        SET corporation_id = a.corporation_id, affiliation_until = $2,
            roles = CASE WHEN c.corporation_id = a.corporation_id THEN c.roles ELSE '{}' END,
            roles_until = CASE WHEN c.corporation_id = a.corporation_id THEN c.roles_until END
       FROM json_to_recordset($1) AS a (character_id bigint, corporation_id bigint)
      WHERE c.character_id = a.character_id`,
    [json, until],
  );
  const { rows } = await client.query<{ corporation_id: number }>(
    `SELECT corporation_id FROM corporations WHERE name = '' AND corporation_id = ANY($1)`,
    [affiliations.map((a) => a.corporation_id)],
  );
  return { moves, nameless: rows.map((row) => row.corporation_id) };
}

/** Stores the name and ticker of a corporation. */
export async function writeCorporation(
  db: Queryable,
  id: number,
  { name, ticker }: { name: string; ticker: string },
): Promise<void> {
  await db.query(
    `UPDATE corporations SET name = $2, ticker = $3, updated_at = now() WHERE corporation_id = $1`,
    [id, name, ticker],
  );
}

/** The characters of `ids` whose name is unknown: their rows were inserted by SQL. */
export async function readNamelessCharacters(db: Queryable, ids: readonly number[]): Promise<number[]> {
  const { rows } = await db.query<{ character_id: number }>(
    `SELECT character_id FROM characters WHERE name = '' AND character_id = ANY($1)`,
    [ids],
  );
  return rows.map((row) => row.character_id);
}

/** Stores the name of a character. */
export async function writeCharacterName(db: Queryable, id: number, name: string): Promise<void> {
  await db.query('UPDATE characters SET name = $2, updated_at = now() WHERE character_id = $1', [id, name]);
}

/** Has affiliations that ESI did not state requested again after `until`. */
export async function postponeAffiliations(
  db: Queryable,
  ids: readonly number[],
  until: Date,
): Promise<void> {
  await db.query('UPDATE characters SET affiliation_until = $2 WHERE character_id = ANY($1)', [ids, until]);
}
