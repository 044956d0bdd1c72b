import type { ExactInt } from '../../lib/exact-int.ts';
import type { Queryable } from '../database.ts';

/** A structure to request, and the characters to request it with. */
export interface WantedStructure {
  readonly structureId: ExactInt;
  /** Those first that own something there. */
  readonly characterIds: readonly number[];
}

/** Characters that one structure is requested with in a run. */
const MAX_CHARACTERS = 5;

/** The condition that a denial to character `m` still holds. $2 is now. */
const IS_DENIED = `EXISTS (SELECT FROM esi_refusals r WHERE r.character_id = m.character_id
  AND r.subject = 'structure/' || w.structure_id AND r.retry_at > $2)`;

/**
 * Structures that are placeholders or were read too long ago, each with the few characters most likely to have access:
 * an active login with the scope and no denial that still holds; first those that own something there, then those that
 * were denied the fewest times. Assets are read once for all structures.
 */
export async function readWantedStructures(
  db: Queryable,
  scope: string,
  now: Date,
  staleBefore: Date,
  limit: number,
): Promise<WantedStructure[]> {
  const { rows } = await db.query<{ structure_id: ExactInt; characters: string[] }>(
    `WITH may AS MATERIALIZED (SELECT c.character_id, c.corporation_id
                                 FROM characters c JOIN esi_tokens t USING (character_id)
                                 JOIN esi_token_scopes s ON s.token_id = t.id AND s.scope = $1 WHERE t.is_active),
          wanted AS MATERIALIZED (SELECT w.structure_id FROM structures w
                                   WHERE (w.is_placeholder OR w.updated_at < $3)
                                     AND EXISTS (SELECT FROM may m WHERE NOT ${IS_DENIED})
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
                   ORDER BY n.character_id IS NULL, r.refusals NULLS FIRST, m.character_id LIMIT ${MAX_CHARACTERS}) AS characters
       FROM wanted w JOIN structures s USING (structure_id)
      ORDER BY s.is_placeholder DESC, s.updated_at, s.structure_id`,
    [scope, now, staleBefore, limit],
  );
  // Arrays of BIGINT come as text.
  return rows.map((row) => ({ structureId: row.structure_id, characterIds: row.characters.map(Number) }));
}

/** A structure as ESI states it. */
export interface Structure {
  readonly structureId: ExactInt;
  readonly name: string;
  readonly ownerId: number;
  readonly systemId: number;
  readonly typeId: number | undefined;
  readonly position: { readonly x: number; readonly y: number; readonly z: number } | undefined;
}

/** Stores a structure. Its system must have a row. */
export async function writeStructure(db: Queryable, structure: Structure, now: Date): Promise<void> {
  const { structureId, name, ownerId, systemId, typeId, position } = structure;
  await db.query(
    `UPDATE structures SET name = $2, owner_id = $3, system_id = $4, type_id = $5, position_x = $6, position_y = $7,
            position_z = $8, is_placeholder = false, updated_at = $9 WHERE structure_id = $1`,
    [
      structureId,
      name,
      ownerId,
      systemId,
      typeId ?? null,
      position?.x ?? null,
      position?.y ?? null,
      position?.z ?? null,
      now,
    ],
  );
}

/** Moves a structure that nobody had access to to the end of the queue. */
export async function touchStructure(db: Queryable, structureId: ExactInt, now: Date): Promise<void> {
  await db.query('UPDATE structures SET updated_at = $2 WHERE structure_id = $1', [structureId, now]);
}

/** The number of structures that are known by their name. */
export async function countKnownStructures(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'SELECT count(*) AS n FROM structures WHERE NOT is_placeholder',
  );
  return rows[0]?.n ?? 0;
}

/** The number of structures that are known by their id only. */
export async function countPlaceholderStructures(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>('SELECT count(*) AS n FROM structures WHERE is_placeholder');
  return rows[0]?.n ?? 0;
}
