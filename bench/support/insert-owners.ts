import { minutesOf } from '../../src/engine/owners/default-assignments.ts';
import { tokenContext } from '../../src/engine/owners/access-token.ts';
import { ownerCollectors, typeOf } from '../../src/engine/owners/login-rights.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { factOf, type Route } from '../../src/esi/facts/routes.ts';
import { FIRST_CHARACTER } from '../../simulator/owners/owner-options.ts';
import { OWNER_SCOPES } from '../../simulator/owners/owner-scopes.ts';

/** The first characters of the simulator. */
export const charactersOf = (count: number) => Array.from({ length: count }, (_, i) => FIRST_CHARACTER + i);

/** The assignments that a login creates: collector, minutes between runs, and the shortest cache time of its routes. */
export const ASSIGNMENTS = ownerCollectors().map((collector) => ({
  collector: collector.name,
  type: typeOf(collector.name),
  minutes: minutesOf(collector),
  /** No resource of the collector has newer data before this time. */
  cacheMs: Math.min(
    ...collector.resources
      .filter((resource) => resource.for === 'character')
      .map((resource) => (factOf(resource.route as Route).cacheSeconds ?? 0) * 1_000),
  ),
}));

/** Assigns every collector to the characters, due at once. `minutes` replaces the product's intervals. */
export async function assignAll(
  { db }: Pick<EngineContext, 'db'>,
  characterIds: readonly number[],
  minutes?: number,
): Promise<void> {
  const rows = ASSIGNMENTS.map((one) => ({ type: one.type, minutes: minutes ?? one.minutes }));
  await db.pool.query(
    `INSERT INTO collector_assignments (character_id, collector_type, collection_interval_minutes)
     SELECT c, a.type, a.minutes FROM unnest($1::bigint[]) AS c, json_to_recordset($2) AS a (type text, minutes int)`,
    [characterIds, JSON.stringify(rows)],
  );
}

/** The lengths of EVE's tokens: a signed token has a thousand letters, a refresh token a few dozen. */
const LENGTHS = { access_token: 1_000, refresh_token: 40 } as const;

/** Inserts logins with encrypted tokens that are not valid, for parts that make no requests with them. */
export async function insertLogins(
  { db, cipher }: EngineContext,
  characterIds: readonly number[],
): Promise<void> {
  const encrypted = (kind: keyof typeof LENGTHS) =>
    characterIds.map((id) => cipher.encrypt('x'.repeat(LENGTHS[kind]), tokenContext(id, kind)));
  await db.pool.query(
    `INSERT INTO characters (character_id, name) SELECT id, 'Character ' || id FROM unnest($1::bigint[]) AS id`,
    [characterIds],
  );
  await db.pool.query(
    `INSERT INTO esi_tokens (character_id, access_token, refresh_token, scopes, expires_at)
     SELECT id, a, r, $4, now() + interval '20 minutes' FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, a, r)`,
    [characterIds, encrypted('access_token'), encrypted('refresh_token'), OWNER_SCOPES.join(',')],
  );
}
