import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  assignmentOf,
  checkOwners,
  createAssignment,
  deleteAssignment,
  listAssignments,
  updateAssignment,
} from '../../../src/engine/owners/assignment-service.ts';
import { chooseCollectors, neededScopes, ownerCollectors } from '../../../src/engine/owners/login-rights.ts';
import { type TestOwners, testOwners } from './test-owners.ts';

const ME = 90000001;
const CORPORATION = 98000001;

let owners: TestOwners;
beforeEach(async () => {
  owners = await testOwners();
  await owners.addCharacter(ME, 'Some Pilot');
  await owners.db.rows(`INSERT INTO corporations (corporation_id, name) VALUES ($1, 'Some Corporation')`, [
    CORPORATION,
  ]);
});
afterEach(() => owners.close());

const create = (collector: string, target: string, intervalMinutes?: number) =>
  createAssignment(owners.context, { collector, target, intervalMinutes });

test('a new assignment is due now and has the interval of its collector', async () => {
  const created = await create('wallet', `character/${ME}`);
  expect(created).toMatchObject({
    target: `character/${ME}`,
    owner: 'Some Pilot',
    collector: 'wallet',
    isEnabled: true,
    lastCollectedAt: null,
    nextCollectionAt: null,
    note: null,
  });
  expect(created.intervalMinutes).toBeGreaterThan(1);
  expect(await create('ASSETS', `corporation/${CORPORATION}`, 90)).toMatchObject({
    target: `corporation/${CORPORATION}`,
    owner: 'Some Corporation',
    collector: 'assets',
    intervalMinutes: 90,
  });
  expect((await listAssignments(owners.context)).map(({ collector }) => collector)).toEqual([
    'wallet',
    'assets',
  ]);
  expect(
    await owners.db.rows('SELECT collector_type, character_id, corporation_id FROM collector_assignments'),
  ).toEqual([
    { collector_type: 'WALLET', character_id: ME, corporation_id: null },
    { collector_type: 'ASSETS', character_id: null, corporation_id: CORPORATION },
  ]);
});

test('an owner of whom nothing is known cannot be collected', async () => {
  const check = (collector: string, ...targets: string[]) => checkOwners(owners.context, collector, targets);
  await check('wallet', `character/${ME}`, `corporation/${CORPORATION}`);
  await check('wallet');
  await check('market-orders', 'region/10000002');
  await expect(check('wallet', `character/${ME}`, 'character/90000099')).rejects.toMatchObject({
    code: 'UNKNOWN_OWNER',
    message: 'character/90000099 is unknown. Log the character in first ("eve-collector tokens add").',
  });
  await expect(check('wallet', 'Jita')).rejects.toMatchObject({ code: 'BAD_TARGET' });
});

test.each([
  ['moon-dust', `character/${ME}`, 60, 'UNKNOWN_COLLECTOR', /"moon-dust".*There are: .*wallet/],
  ['market-orders', `character/${ME}`, 60, 'UNKNOWN_COLLECTOR', /"market-orders"/],
  ['wallet', 'Jita', 60, 'BAD_TARGET', /"Jita" is no target here: write character\/ID/],
  ['wallet', 'region/10000002', 60, 'BAD_TARGET', /no target here/],
  ['wallet', `character/${ME}; DROP TABLE characters`, 60, 'BAD_TARGET', /no target here/],
  ['wallet', `character/0${ME}`, 60, 'BAD_TARGET', /no target here/],
  ['wallet', `character/${ME}/x`, 60, 'BAD_TARGET', /no target here/],
  ['wallet', 'character/99999999999999999999', 60, 'BAD_TARGET', /no target here/],
  [
    'wallet',
    'character/90000009',
    60,
    'UNKNOWN_OWNER',
    /character\/90000009 is not known here; log the character in/,
  ],
  ['wallet', 'corporation/98000009', 60, 'UNKNOWN_OWNER', /log one of its members in/],
  ['wallet', `character/${ME}`, 0, 'BAD_INTERVAL', /a whole number of minutes from 1 to/],
  ['wallet', `character/${ME}`, 1.5, 'BAD_INTERVAL', /whole number/],
  ['wallet', `character/${ME}`, Number.NaN, 'BAD_INTERVAL', /whole number/],
  ['wallet', `character/${ME}`, 1e9, 'BAD_INTERVAL', /whole number/],
])(
  'assigning %s to %s every %s minutes is refused with %s',
  async (collector, target, every, code, message) => {
    await expect(create(collector, target, every)).rejects.toMatchObject({ code, message });
    expect(await listAssignments(owners.context)).toEqual([]);
  },
);

test('a collector is assigned to an owner once', async () => {
  const { id } = await create('wallet', `character/${ME}`);
  await expect(create('wallet', `character/${ME}`)).rejects.toMatchObject({ code: 'ASSIGNMENT_EXISTS' });
  expect((await listAssignments(owners.context)).map((a) => a.id)).toEqual([id]);
});

test('enabling an assignment or shortening its interval makes it due now', async () => {
  const { id } = await create('wallet', `character/${ME}`, 60);
  const later = async () => {
    await owners.db.rows(
      `UPDATE collector_assignments SET next_collection_at = '2026-11-20T15:00Z', note = 'why'`,
    );
  };
  await later();
  const disabled = await updateAssignment(owners.context, id, { isEnabled: false });
  expect(disabled).toMatchObject({
    isEnabled: false,
    nextCollectionAt: '2026-11-20T15:00:00.000Z',
    note: 'why',
  });
  expect(await updateAssignment(owners.context, id, { isEnabled: true })).toMatchObject({
    isEnabled: true,
    nextCollectionAt: null,
    note: null,
    intervalMinutes: 60,
  });
  await later();
  expect(await updateAssignment(owners.context, id, { intervalMinutes: 120 })).toMatchObject({
    intervalMinutes: 120,
    nextCollectionAt: '2026-11-20T15:00:00.000Z',
  });
  expect(await updateAssignment(owners.context, id, { intervalMinutes: 30 })).toMatchObject({
    nextCollectionAt: null,
  });
  await expect(updateAssignment(owners.context, id, { intervalMinutes: 0 })).rejects.toMatchObject({
    code: 'BAD_INTERVAL',
  });
  await expect(updateAssignment(owners.context, 999, { isEnabled: true })).rejects.toMatchObject({
    code: 'UNKNOWN_ASSIGNMENT',
  });
});

test('an assignment is found by collector and target, and deleted', async () => {
  const { id } = await create('wallet', `character/${ME}`);
  expect((await assignmentOf(owners.context, 'wallet', `character/${ME}`)).id).toBe(id);
  await expect(assignmentOf(owners.context, 'assets', `character/${ME}`)).rejects.toMatchObject({
    code: 'UNKNOWN_ASSIGNMENT',
  });
  await deleteAssignment(owners.context, id);
  await expect(deleteAssignment(owners.context, id)).rejects.toMatchObject({ code: 'UNKNOWN_ASSIGNMENT' });
  expect(await listAssignments(owners.context)).toEqual([]);
});

test('assignments inserted by SQL are listed as they are', async () => {
  await owners.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type, is_enabled, note) VALUES ($1, 'MOON_DUST', false, 'no')`,
    [ME],
  );
  expect(await listAssignments(owners.context)).toMatchObject([
    { collector: 'moon-dust', isEnabled: false, note: 'no' },
  ]);
});

test('neededScopes returns the scopes of the chosen collectors', () => {
  const all = neededScopes(chooseCollectors());
  for (const scope of [
    'esi-assets.read_assets.v1',
    'esi-assets.read_corporation_assets.v1',
    'esi-characters.read_corporation_roles.v1',
    'esi-industry.read_character_jobs.v1',
    'esi-industry.read_corporation_jobs.v1',
    'esi-markets.read_character_orders.v1',
    'esi-markets.read_corporation_orders.v1',
    'esi-universe.read_structures.v1',
    'esi-wallet.read_character_wallet.v1',
    'esi-wallet.read_corporation_wallets.v1',
  ])
    expect(all).toContain(scope);
  expect(new Set(all).size).toBe(all.length);
  const wallet = neededScopes(chooseCollectors(['wallet']));
  expect(wallet).toContain('esi-wallet.read_character_wallet.v1');
  expect(wallet).not.toContain('esi-assets.read_assets.v1');
  expect(neededScopes(chooseCollectors(['structures']))).toEqual(['esi-universe.read_structures.v1']);
  expect(() => chooseCollectors(['wallet', 'market-orders'])).toThrow(/Unknown collector "market-orders"/);
  expect(ownerCollectors().map(({ name }) => name)).toEqual(['wallet', 'assets', 'orders', 'industry']);
});
