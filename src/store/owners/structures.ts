import type { Pool, PoolClient } from 'pg';

type Queryable = Pick<Pool | PoolClient, 'query'>;

/** What nobody may see is asked for with everybody at times; of ids that nobody's data names any more nobody asks. */
export interface WantedStructure {
  readonly structureId: number;
  /** Who may be asked with, those first whose own things are there. */
  readonly characterIds: readonly number[];
}

/** Characters that one structure is asked with in a run: then it is the next one's turn. */
const EACH = 5;

/** A refusal that holds: the character is not worth asking with now. $2 is now. */
const IS_REFUSED = `EXISTS (SELECT FROM esi_refusals r WHERE r.character_id = m.character_id
  AND r.subject = 'structure/' || w.structure_id AND r.retry_at > $2)`;

/**
 * Structures that are placeholders, or were last seen too long ago, each with the few characters that are worth asking
 * with first: an active login with the scope, no refusal that still holds; those whose own things are there, and those
 * that were refused least. Assets are read once for all structures.
 */
export async function readWantedStructures(
  db: Queryable,
  scope: string,
  now: Date,
  staleBefore: Date,
  limit: number,
): Promise<WantedStructure[]> {
  const { rows } = await db.query<{ structure_id: number; characters: string[] }>(
    `WITH may AS MATERIALIZED (SELECT c.character_id, c.corporation_id
                                 FROM characters c JOIN esi_tokens t USING (character_id)
                                 JOIN esi_token_scopes s ON s.token_id = t.id AND s.scope = $1 WHERE t.is_active),
          wanted AS MATERIALIZED (SELECT w.structure_id FROM structures w
                                   WHERE (w.is_placeholder OR w.updated_at < $3)
                                     AND EXISTS (SELECT FROM may m WHERE NOT ${IS_REFUSED})
                                   ORDER BY w.is_placeholder DESC, w.updated_at, w.structure_id LIMIT $4),
          things AS MATERIALIZED (SELECT DISTINCT location_id, character_id, corporation_id FROM assets
                                   WHERE location_id IN (SELECT structure_id FROM wanted)),
          near AS MATERIALIZED (SELECT location_id, m.character_id FROM things JOIN may m USING (character_id)
                                 UNION
                                SELECT location_id, m.character_id FROM things JOIN may m USING (corporation_id))
     SELECT w.structure_id,
            ARRAY(SELECT m.character_id FROM may m
                    LEFT JOIN near n ON n.location_id = w.structure_id AND n.character_id = m.character_id
                    LEFT JOIN esi_refusals r ON r.character_id = m.character_id AND r.subject = 'structure/' || w.structure_id
                   WHERE r.retry_at IS NULL OR r.retry_at <= $2
                   ORDER BY n.character_id IS NULL, r.refusals NULLS FIRST, m.character_id LIMIT ${EACH}) AS characters
       FROM wanted w JOIN structures s USING (structure_id)
      ORDER BY s.is_placeholder DESC, s.updated_at, s.structure_id`,
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
