import { minutesOf } from '../../src/engine/owners/default-assignments.ts';
import { tokenContext } from '../../src/engine/owners/access-token.ts';
import { ownerCollectors, typeOf } from '../../src/engine/owners/login-rights.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { factOf, type Route } from '../../src/esi/facts/routes.ts';
import { FIRST_CHARACTER } from '../../simulator/owners/owner-options.ts';
import { OWNER_SCOPES } from '../../simulator/owners/owner-scopes.ts';

/** The first characters of the simulator. */
export const charactersOf = (count: number) => Array.from({ length: count }, (_, i) => FIRST_CHARACTER + i);

/** What is assigned to a character by a login: name, minutes between runs, and the shortest life of its answers. */
export const ASSIGNED = ownerCollectors().map((collector) => ({
  collector: collector.name,
  type: typeOf(collector.name),
  minutes: minutesOf(collector),
  /** Before this not even its shortest-lived part has anything newer. */
  lifeMs: Math.min(
    ...collector.resources
      .filter((part) => part.for === 'character')
      .map((part) => (factOf(part.route as Route).cacheSeconds ?? 0) * 1_000),
  ),
}));

/** Assigns every collector to the characters, due at once. `minutes`: instead of what the product assigns. */
export async function assignAll(
  { db }: Pick<EngineContext, 'db'>,
  characterIds: readonly number[],
  minutes?: number,
): Promise<void> {
  const rows = ASSIGNED.map((one) => ({ type: one.type, minutes: minutes ?? one.minutes }));
  await db.pool.query(
    `INSERT INTO collector_assignments (character_id, collector_type, collection_interval_minutes)
     SELECT c, a.type, a.minutes FROM unnest($1::bigint[]) AS c, json_to_recordset($2) AS a (type text, minutes int)`,
    [characterIds, JSON.stringify(rows)],
  );
}

/** As long as EVE's: a signed token of a thousand letters, and a refresh token of a few dozen. */
const LENGTHS = { access_token: 1_000, refresh_token: 40 } as const;

/** Logins as rows alone, sealed, with tokens that open nothing: for what does not ask ESI with them. */
export async function insertLogins(
  { db, cipher }: EngineContext,
  characterIds: readonly number[],
): Promise<void> {
  const sealed = (kind: keyof typeof LENGTHS) =>
    characterIds.map((id) => cipher.encrypt('x'.repeat(LENGTHS[kind]), tokenContext(id, kind)));
  await db.pool.query(
    `INSERT INTO characters (character_id, name) SELECT id, 'Character ' || id FROM unnest($1::bigint[]) AS id`,
    [characterIds],
  );
  await db.pool.query(
    `INSERT INTO esi_tokens (character_id, access_token, refresh_token, scopes, expires_at)
     SELECT id, a, r, $4, now() + interval '20 minutes' FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, a, r)`,
    [characterIds, sealed('access_token'), sealed('refresh_token'), OWNER_SCOPES.join(',')],
  );
}
