import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  deleteToken,
  enableToken,
  listTokens,
  rekeyTokens,
  encryptTokens,
} from '../../../src/engine/owners/token-service.ts';
import { tokenContext } from '../../../src/engine/owners/access-token.ts';
import { AppError } from '../../../src/lib/errors.ts';
import { createCipher } from '../../../src/secrets/cipher.ts';
import type { SsoClient } from '../../../src/sso/sso-client.ts';
import { TEST_KEY } from '../../support/test-secrets.ts';
import { type TestOwners, testOwners } from './test-owners.ts';

const [ME, OTHER] = [90000001, 90000002];
const ACCESS = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDSEFSQUNURVI6RVZFOjkwMDAwMDAxIn0.c2lnbmF0dXJl';
const REFRESH = 'Rf+0refreshToken/0==';
const PLAINTEXT = { access_token: ACCESS, refresh_token: REFRESH };
const OTHER_KEY = Buffer.alloc(32, 9);

const cipher = createCipher([TEST_KEY]);
const encryptedFor = (id: number, by = cipher) => ({
  access_token: by.encrypt(ACCESS, tokenContext(id, 'access_token')),
  refresh_token: by.encrypt(REFRESH, tokenContext(id, 'refresh_token')),
});

let revoked: string[];
let isUnreachable: boolean;
const sso = {
  async revoke(token: string) {
    if (isUnreachable) throw new AppError('unreachable', { code: 'SSO_UNREACHABLE', verdict: 'retry' });
    revoked.push(token);
  },
} as unknown as SsoClient;

let owners: TestOwners;
beforeEach(async () => {
  revoked = [];
  isUnreachable = false;
  owners = await testOwners(sso);
  await owners.addCharacter(ME);
  await owners.addCharacter(OTHER);
});
afterEach(() => owners.close());

const secrets = (row: Record<string, unknown>) =>
  [row['access_token'], row['refresh_token']] as [string, string];
const scopesOf = async (id: number) => {
  const rows = await owners.db.rows<{ scope: string }>(
    'SELECT scope FROM esi_token_scopes WHERE token_id = $1 ORDER BY 1',
    [id],
  );
  return rows.map(({ scope }) => scope);
};

/** Advances to the minute of the hour in which the encrypted row is checked. */
function advanceToCheck(id: number): void {
  const minute = Math.floor(owners.clock.now() / 60_000);
  owners.clock.advance(((((id - minute) % 60) + 60) % 60) * 60_000);
}

test('a token inserted as plaintext is encrypted in place, and its scopes are split', async () => {
  const id = await owners.addToken(ME, {
    ...PLAINTEXT,
    scopes: 'esi-a.read.v1, esi-b.read.v1,,esi-a.read.v1',
  });
  const off = await owners.addToken(OTHER, { ...PLAINTEXT, is_active: false, inactive_reason: 'not yet' });
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 2, unreadable: 0 });
  const [access, refresh] = secrets(await owners.token(id));
  expect(cipher.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
  expect(cipher.decrypt(refresh, tokenContext(ME, 'refresh_token'))).toBe(REFRESH);
  expect(await scopesOf(id)).toEqual(['esi-a.read.v1', 'esi-b.read.v1']);
  expect(await owners.token(off)).toMatchObject({ is_active: false, inactive_reason: 'not yet' });
  for (const text of secrets(await owners.token(off))) expect(cipher.isEncrypted(text)).toBe(true);
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 0, unreadable: 0 });
  expect(secrets(await owners.token(id))).toEqual([access, refresh]);
  await owners.db.rows('UPDATE esi_tokens SET scopes = $2 WHERE id = $1', [
    id,
    'esi-b.read.v1,esi-c.read.v1',
  ]);
  await encryptTokens(owners.context);
  expect(await scopesOf(id)).toEqual(['esi-b.read.v1', 'esi-c.read.v1']);
});

test('a refresh token without an access token is encrypted', async () => {
  const id = await owners.addToken(ME, { refresh_token: ` ${REFRESH}\n` });
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 1, unreadable: 0 });
  const row = await owners.token(id);
  expect(row).toMatchObject({ access_token: null, is_active: true });
  expect(cipher.decrypt(row['refresh_token'] as string, tokenContext(ME, 'refresh_token'))).toBe(REFRESH);
});

test.each([
  ['nothing', {}, /token is missing in the database row/],
  ['empty texts', { access_token: '', refresh_token: ' ' }, /token is missing in the database row/],
  ['a sentence', { refresh_token: 'my token is secret' }, /is not a token of EVE/],
  ['control characters', { refresh_token: 'abcdefgh\u0007ijk' }, /is not a token of EVE/],
  ['a very long text', { refresh_token: 'x'.repeat(10_000) }, /is not a token of EVE/],
  [
    'a damaged ciphertext',
    { refresh_token: `${encryptedFor(ME).refresh_token.slice(0, -4)}AAAA` },
    /changed, truncated/,
  ],
  ['a truncated token', { refresh_token: encryptedFor(ME).refresh_token.slice(0, 30) }, /changed, truncated/],
  ["another character's ciphertext", encryptedFor(OTHER), /copied from another row/],
  ['an unknown key', encryptedFor(ME, createCipher([OTHER_KEY])), /with a key that is not in use/],
])('a token row with %s is disabled with a reason, once', async (_, columns, reason) => {
  const id = await owners.addToken(ME, columns);
  const valid = await owners.addToken(OTHER, encryptedFor(OTHER));
  await owners.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'WALLET')`,
    [ME],
  );
  advanceToCheck(id);
  expect((await encryptTokens(owners.context)).unreadable).toBe(1);
  const row = await owners.token(id);
  expect(row).toMatchObject({ is_active: false, inactive_reason: expect.stringMatching(reason) as unknown });
  expect(row['inactive_reason']).toMatch(/[Ll]og the character in again\.$/);
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 0, unreadable: 0 });
  expect(await owners.token(id)).toEqual(row);
  expect(await owners.token(valid)).toMatchObject({ is_active: true });
  const [assignment] = await owners.db.rows('SELECT note FROM collector_assignments');
  expect(assignment?.['note']).toBe(row['inactive_reason']);
  await expect(enableToken(owners.context, id, true)).rejects.toMatchObject({ code: 'TOKEN_UNUSABLE' });
});

test('a login is enabled again when its key is available again', async () => {
  const other = createCipher([OTHER_KEY]);
  const id = await owners.addToken(ME, encryptedFor(ME, other));
  advanceToCheck(id);
  await encryptTokens(owners.context);
  expect(await owners.token(id)).toMatchObject({ is_active: false });
  owners.clock.advance(60_000); // a row that is disabled because of its ciphertext is checked every minute
  await encryptTokens(owners.withKeys(TEST_KEY, OTHER_KEY));
  expect(await owners.token(id)).toMatchObject({ is_active: true, inactive_reason: null });
});

test('a locked token row is encrypted the next time', async () => {
  const id = await owners.addToken(ME, PLAINTEXT);
  await owners.db.transaction(async (client) => {
    await client.query('SELECT FROM esi_tokens WHERE id = $1 FOR UPDATE', [id]);
    expect(await encryptTokens(owners.context)).toEqual({ encrypted: 0, unreadable: 0 });
  });
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 1, unreadable: 0 });
});

test('simultaneous processes encrypt a token row once', async () => {
  const id = await owners.addToken(ME, PLAINTEXT);
  const counts = await Promise.all([1, 2, 3, 4].map(() => encryptTokens(owners.context)));
  expect(counts.reduce((sum, { encrypted }) => sum + encrypted, 0)).toBe(1);
  const [access] = secrets(await owners.token(id));
  expect(cipher.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
});

test('rekeyTokens encrypts tokens and pending logins with the first key', async () => {
  const id = await owners.addToken(ME, encryptedFor(ME));
  const bad = await owners.addToken(OTHER, encryptedFor(OTHER, createCipher([Buffer.alloc(32, 1)])));
  const context = 'login/abc';
  await owners.db.rows(`INSERT INTO esi_logins (state_hash, verifier, scopes) VALUES ('abc', $1, '')`, [
    cipher.encrypt('the verifier', context),
  ]);
  const before = secrets(await owners.token(bad));
  const both = owners.withKeys(OTHER_KEY, TEST_KEY);
  expect(await rekeyTokens(both)).toEqual({ rekeyed: 1, unreadable: 1 });
  expect(await rekeyTokens(both)).toEqual({ rekeyed: 0, unreadable: 1 });
  const next = createCipher([OTHER_KEY]);
  const [access, refresh] = secrets(await owners.token(id));
  expect(next.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
  expect(next.decrypt(refresh, tokenContext(ME, 'refresh_token'))).toBe(REFRESH);
  const [login] = await owners.db.rows<{ verifier: string }>('SELECT verifier FROM esi_logins');
  expect(next.decrypt(login!.verifier, context)).toBe('the verifier');
  expect(secrets(await owners.token(bad))).toEqual(before);
});

test('listTokens returns no secrets', async () => {
  await owners.db.rows(
    `INSERT INTO corporations (corporation_id, name) VALUES (98000001, 'Some Corporation')`,
  );
  await owners.db.rows('UPDATE characters SET corporation_id = 98000001 WHERE character_id = $1', [ME]);
  const expires = new Date('2026-11-20T14:20:00Z');
  await owners.addToken(ME, {
    ...PLAINTEXT,
    owner_hash: 'hash==',
    scopes: 'esi-a.read.v1',
    expires_at: expires,
  });
  await owners.addToken(OTHER, { ...encryptedFor(OTHER), is_active: false });
  const listed = await listTokens(owners.context);
  expect(listed).toMatchObject([
    {
      characterId: ME,
      name: `Pilot ${ME}`,
      corporationId: 98000001,
      corporation: 'Some Corporation',
      scopes: ['esi-a.read.v1'],
      isActive: true,
      reason: null,
      expiresAt: expires.toISOString(),
    },
    {
      characterId: OTHER,
      isActive: false,
      reason: expect.stringContaining('The login is disabled.') as unknown,
    },
  ]);
  for (const secret of [ACCESS, REFRESH, 'hash==', 'v1.'])
    expect(JSON.stringify(listed)).not.toContain(secret);
});

test('disabling a login blocks its assignments, enabling it resumes them at once', async () => {
  const id = await owners.addToken(ME, encryptedFor(ME));
  await owners.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type, next_collection_at) VALUES ($1, 'WALLET', now())`,
    [ME],
  );
  await enableToken(owners.context, id, false);
  expect(await owners.token(id)).toMatchObject({ is_active: false });
  const assignments = () => owners.db.rows('SELECT note, next_collection_at FROM collector_assignments');
  expect(await assignments()).toMatchObject([
    { note: expect.stringContaining('The login is disabled.') as unknown },
  ]);
  await encryptTokens(owners.context);
  expect(await owners.token(id)).toMatchObject({ is_active: false });
  await enableToken(owners.context, id, true);
  expect(await owners.token(id)).toMatchObject({ is_active: true, inactive_reason: null });
  expect(await assignments()).toEqual([{ note: null, next_collection_at: null }]);
  await expect(enableToken(owners.context, 999, true)).rejects.toMatchObject({ code: 'UNKNOWN_TOKEN' });
});

test('deleting a login revokes it at EVE, and succeeds while EVE is unreachable', async () => {
  const mine = await owners.addToken(ME, encryptedFor(ME));
  const other = await owners.addToken(OTHER, PLAINTEXT);
  await owners.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'WALLET')`,
    [ME],
  );
  expect(await deleteToken(owners.context, mine)).toEqual({ revoked: true });
  expect(revoked).toEqual([REFRESH]);
  isUnreachable = true;
  expect(await deleteToken(owners.context, other)).toEqual({ revoked: false });
  expect(await listTokens(owners.context)).toEqual([]);
  expect(await owners.db.rows('SELECT is_enabled, note FROM collector_assignments')).toMatchObject([
    { is_enabled: true, note: expect.stringContaining('log it in again') as unknown },
  ]);
  await expect(deleteToken(owners.context, mine)).rejects.toMatchObject({ code: 'UNKNOWN_TOKEN' });
});
