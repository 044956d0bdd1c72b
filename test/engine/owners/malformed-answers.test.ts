import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { insertGrant, updateGrant } from '../../../src/store/owners/tokens.ts';
import { DIRECTOR_ROLES } from '../../../simulator/owners/owner-options.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { ANNA, CORPORATION, logIn, corporationTarget } from '../../support/owner-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({
    owners: {
      characters: [{ id: ANNA, corporationId: CORPORATION, roles: [...DIRECTOR_ROLES] }],
      corporations: [{ id: CORPORATION }],
    },
  });
  await engine.collect('universe');
});
afterEach(() => engine.close());

test('an answer about roles that cannot be understood ends the run with its reason, and is not retried', async () => {
  await logIn(engine, ANNA);
  await engine.db.rows('UPDATE characters SET roles_until = NULL');
  await engine.db.rows(
    `INSERT INTO collector_assignments (collector_type, corporation_id) VALUES ('WALLET', $1)`,
    [CORPORATION],
  );
  engine.sim.faults.rawBody('"x"', { route: '/roles' });
  await expect(engine.collect('wallet', corporationTarget(CORPORATION))).rejects.toMatchObject({
    code: 'RESOURCE_FAILED',
    verdict: 'fail',
  });
  const [assignment] = await engine.db.rows<{ note: string | null; next_collection_at: Date | null }>(
    'SELECT note, next_collection_at FROM collector_assignments',
  );
  expect(assignment?.note).toMatch(/roles/);
  expect(assignment?.next_collection_at).not.toBeNull();
});

test('a refresh that grants no scope any more removes the scopes of the login', async () => {
  const { db } = engine;
  const now = new Date(engine.clock.now());
  const grant = {
    characterId: ANNA,
    name: 'Anna',
    ownerHash: 'hash',
    accessToken: 'a',
    refreshToken: 'r',
    scopes: ['esi-wallet.read_character_wallet.v1'],
    expiresAt: now,
  };
  await insertGrant(db.pool, grant, now);
  expect(await db.rows('SELECT scope FROM esi_token_scopes')).toHaveLength(1);
  const [token] = await db.rows<{ id: number }>('SELECT id FROM esi_tokens');
  await updateGrant(db.pool, token!.id, { ...grant, scopes: [] }, now);
  expect(await db.rows('SELECT scope FROM esi_token_scopes')).toEqual([]);
});
