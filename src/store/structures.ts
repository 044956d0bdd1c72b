import type { Pool, PoolClient } from 'pg';

type Queryable = Pick<Pool | PoolClient, 'query'>;

/** What nobody may see is asked for with everybody at times; of ids that nobody's data names any more nobody asks. */
export interface WantedStructure {
  readonly structureId: number;
  /** Who may be asked with, those first whose own things are there. */
  readonly characterIds: readonly number[];
}

/**
 * Structures that are placeholders, or were last seen too long ago, each with the characters that are worth asking with
 * now: an active login with the scope, and no refusal that still holds.
 */
export async function readWantedStructures(
  db: Queryable,
  scope: string,
  now: Date,
  staleBefore: Date,
  limit: number,
): Promise<WantedStructure[]> {
  const { rows } = await db.query<{ structure_id: number; characters: string[] }>(
    `WITH may AS (SELECT c.character_id, c.corporation_id FROM characters c JOIN esi_tokens t USING (character_id)
                    JOIN esi_token_scopes s ON s.token_id = t.id AND s.scope = $1 WHERE t.is_active)
     SELECT w.structure_id, w.characters
       FROM (SELECT s.structure_id, s.is_placeholder, s.updated_at,
                    array_agg(m.character_id ORDER BY near.here DESC, m.character_id) AS characters
               FROM structures s CROSS JOIN may m
               LEFT JOIN esi_refusals r ON r.character_id = m.character_id AND r.subject = 'structure/' || s.structure_id
              CROSS JOIN LATERAL (SELECT EXISTS (
                     SELECT FROM assets a WHERE a.location_id = s.structure_id
                        AND (a.character_id = m.character_id OR a.corporation_id = m.corporation_id)) AS here) near
              WHERE (s.is_placeholder OR s.updated_at < $3) AND (r.retry_at IS NULL OR r.retry_at <= $2)
              GROUP BY 1, 2, 3) w
      ORDER BY w.is_placeholder DESC, w.updated_at, w.structure_id LIMIT $4`,
    [scope, now, staleBefore, limit],
  );
  // Arrays of BIGINT come as text.
  return rows.map((row) => ({ structureId: row.structure_id, characterIds: row.characters.map(Number) }));
}

export interface Structure {
  readonly structureId: number;
  readonly name: string;
  readonly ownerId: number;
  readonly systemId: number;
  readonly typeId: number | undefined;
  readonly position: { readonly x: number; readonly y: number; readonly z: number } | undefined;
}

/** Writes what ESI told of a structure; its system must stand in the table. Unchanged, only the moment moves on. */
export async function writeStructure(db: Queryable, structure: Structure, now: Date): Promise<void> {
  const { structureId, name, ownerId, systemId, typeId, position } = structure;
  await db.query(
    `UPDATE structures SET name = $2, owner_id = $3, system_id = $4, type_id = $5, position_x = $6, position_y = $7,
            position_z = $8, is_placeholder = false, updated_at = $9 WHERE structure_id = $1`,
    [
      ...[structureId, name, ownerId, systemId, typeId ?? null],
      ...[position?.x ?? null, position?.y ?? null, position?.z ?? null, now],
    ],
  );
}

/** What was asked for in vain goes to the end of the queue. */
export async function touchStructure(db: Queryable, structureId: number, now: Date): Promise<void> {
  await db.query('UPDATE structures SET updated_at = $2 WHERE structure_id = $1', [structureId, now]);
}

export async function countPlaceholderStructures(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>('SELECT count(*) AS n FROM structures WHERE is_placeholder');
  return rows[0]?.n ?? 0;
}
