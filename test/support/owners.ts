import type { Clock } from '../../src/kernel/clock.ts';
import { OWNER_SCOPES } from '../../src/simulator/owners/scopes.ts';
import type { TestEngine } from './engine.ts';

export const ANNA = 90_000_001; // director of the corporation below
export const BRAM = 90_000_002; // the same corporation, without roles
export const CORPORATION = 98_000_001;

export const ofCharacter = (id: number) => `character/${id}`;
export const ofCorporation = (id: number) => `corporation/${id}`;

/**
 * Logs a character in without the browser: rows as somebody may insert them by SQL, with the tokens in the clear. The
 * access token is good for twenty minutes of the test's clock.
 */
export async function logIn(
  engine: Pick<TestEngine, 'db' | 'sim'> & { readonly clock: Clock },
  characterId: number,
  scopes: readonly string[] = OWNER_SCOPES,
): Promise<void> {
  const { db, sim, clock } = engine;
  const { accessToken, refreshToken, expiresIn } = await sim.sso.issue(characterId, scopes);
  const { name, corporationId } = sim.owners.character(characterId);
  await db.pool.query(
    `INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Proof of Concept') ON CONFLICT DO NOTHING`,
    [corporationId],
  );
  await db.pool.query(
    `INSERT INTO characters (character_id, name, corporation_id) VALUES ($1, $2, $3)
     ON CONFLICT (character_id) DO UPDATE SET corporation_id = excluded.corporation_id`,
    [characterId, name, corporationId],
  );
  const { rows } = await db.pool.query<{ id: number }>(
    `INSERT INTO esi_tokens (character_id, character_name, owner_hash, access_token, refresh_token, scopes, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (character_id) DO UPDATE SET access_token = excluded.access_token, is_active = true,
       refresh_token = excluded.refresh_token, expires_at = excluded.expires_at, owner_hash = excluded.owner_hash
     RETURNING id`,
    [
      ...[characterId, name, sim.sso.ownerHash(characterId), accessToken, refreshToken, scopes.join(',')],
      new Date(clock.now() + expiresIn * 1_000),
    ],
  );
  await db.pool.query(
    `INSERT INTO esi_token_scopes (token_id, scope) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`,
    [rows[0]!.id, scopes],
  );
}
