import type { Database } from '../src/store/database.ts';
import type { Cipher } from '../src/secrets/cipher.ts';
import { tokenContext } from '../src/engine/owners/access-token.ts';
import { SHARED, type WorldIds } from './sources/ids.ts';

/** The group of frigates and the category of ships, whose assembled items can be named. */
const FRIGATES = 25;
const SHIPS = 6;

/** Inserts the static data that all worlds refer to. */
export async function insertSharedRows({ pool }: Database): Promise<void> {
  await pool.query(`INSERT INTO categories (category_id, name) VALUES (${SHIPS}, 'Ship')`);
  await pool.query(
    `INSERT INTO groups (group_id, category_id, name) VALUES (${FRIGATES}, ${SHIPS}, 'Frigate')`,
  );
  await pool.query(
    `INSERT INTO types (type_id, name) SELECT id, 'Type ' || id FROM unnest($1::bigint[]) id`,
    [SHARED.types],
  );
  await pool.query(
    `INSERT INTO types (type_id, name, group_id) SELECT id, 'Ship ' || id, ${FRIGATES} FROM unnest($1::bigint[]) id`,
    [SHARED.shipTypes],
  );
  await pool.query(`INSERT INTO systems (system_id, name) VALUES (${SHARED.system}, 'Jita')`);
  await pool.query(
    `INSERT INTO stations (station_id, name) SELECT id, 'Station ' || id FROM unnest($1::bigint[]) id`,
    [SHARED.stations],
  );
  await pool.query(
    `INSERT INTO structures (structure_id, name) SELECT id, 'Structure ' || id FROM unnest($1::bigint[]) id`,
    [SHARED.structures.map(String)],
  );
}

const SCOPES = [
  'esi-wallet.read_character_wallet.v1',
  'esi-assets.read_assets.v1',
  'esi-markets.read_character_orders.v1',
];

/** Logs the character of a world in, with an access token that lasts as long as a history. */
export async function insertLogin(
  { pool }: Database,
  cipher: Cipher,
  { character }: WorldIds,
  until: Date,
): Promise<void> {
  await pool.query(`INSERT INTO characters (character_id, name) VALUES ($1, 'Pilot')`, [character]);
  const { rows } = await pool.query<{ id: number }>(
    `INSERT INTO esi_tokens (character_id, access_token, refresh_token, scopes, expires_at)
     VALUES ($1, $2, $3, $4, $5) RETURNING id`,
    [
      character,
      cipher.encrypt('access', tokenContext(character, 'access_token')),
      cipher.encrypt('refresh', tokenContext(character, 'refresh_token')),
      SCOPES.join(','),
      until,
    ],
  );
  await pool.query(`INSERT INTO esi_token_scopes (token_id, scope) SELECT $1, unnest($2::text[])`, [
    rows[0]!.id,
    SCOPES,
  ]);
}
