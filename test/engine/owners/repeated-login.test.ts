import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { listAssignments, updateAssignment } from '../../../src/engine/owners/assignment-service.ts';
import { listTokens } from '../../../src/engine/owners/token-service.ts';
import type { LoginChoice } from '../../../simulator/index.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import { logInThroughSso } from '../../support/sso-login.ts';
import { ANNA, BRAM, CORPORATION } from '../../support/owner-engine.ts';

const WALLET = 'esi-wallet.read_character_wallet.v1';
const ROLES = ['Accountant', 'Director', 'Factory_Manager', 'Trader'];

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({
    owners: {
      characters: [
        { id: ANNA, name: 'Anna Testa', corporationId: CORPORATION, roles: ROLES },
        { id: BRAM, name: 'Bram Proof', corporationId: CORPORATION },
      ],
      corporations: [{ id: CORPORATION, name: 'Proof of Concept', ticker: 'PROOF' }],
    },
  });
});
afterEach(() => engine.close());

const logIn = (id: number, choice?: LoginChoice, collectors?: string[]) =>
  logInThroughSso(engine, id, choice, collectors);

test('logging in again renews the token and leaves disabled assignments disabled', async () => {
  await logIn(ANNA);
  const [first] = await listAssignments(engine.context);
  await updateAssignment(engine.context, first!.id, { isEnabled: false });
  await engine.db.rows(`UPDATE esi_tokens SET is_active = false, inactive_reason = 'revoked'`);
  await engine.db.rows(`UPDATE collector_assignments SET note = 'revoked' WHERE character_id IS NOT NULL`);
  const before = await listAssignments(engine.context);
  const report = await logIn(ANNA);
  expect(report).toMatchObject({ renewed: true, enabled: [] });
  expect(report.message).toMatch(/^Anna Testa is logged in again\. Collection resumes as before\./);
  const after = await listAssignments(engine.context);
  expect(after.map(({ id, isEnabled }) => ({ id, isEnabled }))).toEqual(
    before.map(({ id, isEnabled }) => ({ id, isEnabled })),
  );
  expect(after.filter(({ note }) => note !== null)).toEqual([]);
  expect(await listTokens(engine.context)).toMatchObject([{ isActive: true, reason: null }]);
});

test('logging in again with fewer scopes names what is blocked and how to resume it', async () => {
  const format = (names: string[], owner: string) => names.map((name) => `${name} ${owner}`).join(', ');
  await logIn(ANNA);
  const { id } = (await listAssignments(engine.context)).find((a) => a.collector === 'orders')!;
  await updateAssignment(engine.context, id, { isEnabled: false });
  const { message } = await logIn(ANNA, undefined, ['industry']);
  const ofCharacter = format(['wallet', 'assets'], `character/${ANNA}`);
  const ofCorporation = format(['wallet', 'assets', 'orders'], `corporation/${CORPORATION}`);
  expect(message).toContain(
    `Blocked by missing scopes: ${ofCharacter}, ${ofCorporation}. Log in again with all scopes`,
  );
  expect(message).not.toContain('Collection resumes');
  expect((await logIn(ANNA, { grant: [WALLET] })).message).toContain(
    `Blocked by missing scopes: assets character/${ANNA}, industry character/${ANNA}, wallet corp`,
  );

  engine.sim.owners.setRoles(BRAM, ROLES);
  await logIn(BRAM);
  expect((await logIn(ANNA, undefined, ['industry'])).message).toContain(
    `scopes: ${ofCharacter}. Log in again`,
  );
  expect((await logIn(ANNA)).message).toContain('Collection resumes as before.');
});

test('the login of another member resumes what is blocked of its corporation, and of no other', async () => {
  const OTHER = 98_000_009;
  await logIn(ANNA);
  await engine.db.rows(`INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Other')`, [OTHER]);
  await engine.db.rows(
    `INSERT INTO collector_assignments (collector_type, corporation_id) VALUES ('WALLET', $1)`,
    [OTHER],
  );
  const later = new Date(engine.clock.now() + 86_400_000);
  await engine.db.rows(
    `UPDATE collector_assignments SET note = 'no role', next_collection_at = $1 WHERE corporation_id IS NOT NULL`,
    [later],
  );
  await logIn(BRAM);
  const states = await engine.db.rows(
    `SELECT DISTINCT corporation_id, note, next_collection_at FROM collector_assignments
      WHERE corporation_id IS NOT NULL ORDER BY 1`,
  );
  expect(states).toEqual([
    { corporation_id: CORPORATION, note: null, next_collection_at: null },
    { corporation_id: OTHER, note: 'no role', next_collection_at: later },
  ]);
});

test('logging in after a transfer reports the new owner', async () => {
  await logIn(ANNA);
  const hash = engine.sim.sso.transfer(ANNA);
  const report = await logIn(ANNA);
  expect(report.message).toMatch(/was transferred to another account since its last login/);
  expect(await engine.db.rows('SELECT owner_hash FROM esi_tokens')).toEqual([{ owner_hash: hash }]);
});
