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
import { TEST_KEY } from '../../support/secrets.ts';
import { type TestOwners, testOwners } from './support.ts';

const [ME, OTHER] = [90000001, 90000002];
const ACCESS = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDSEFSQUNURVI6RVZFOjkwMDAwMDAxIn0.c2lnbmF0dXJl';
const REFRESH = 'Rf+0refreshToken/0==';
const CLEAR = { access_token: ACCESS, refresh_token: REFRESH };
const OTHER_KEY = Buffer.alloc(32, 9);

const cipher = createCipher([TEST_KEY]);
const sealedFor = (id: number, by = cipher) => ({
  access_token: by.encrypt(ACCESS, tokenContext(id, 'access_token')),
  refresh_token: by.encrypt(REFRESH, tokenContext(id, 'refresh_token')),
});

let revoked: string[];
let isAway: boolean;
const sso = {
  async revoke(token: string) {
    if (isAway) throw new AppError('away', { code: 'SSO_UNREACHABLE', verdict: 'retry' });
    revoked.push(token);
  },
} as unknown as SsoClient;

let desk: TestOwners;
beforeEach(async () => {
  [revoked, isAway] = [[], false];
  desk = await testOwners(sso);
  await desk.addCharacter(ME);
  await desk.addCharacter(OTHER);
});
afterEach(() => desk.close());

const secrets = (row: Record<string, unknown>) =>
  [row['access_token'], row['refresh_token']] as [string, string];
const scopesOf = async (id: number) => {
  const rows = await desk.db.rows<{ scope: string }>(
    'SELECT scope FROM esi_token_scopes WHERE token_id = $1 ORDER BY 1',
    [id],
  );
  return rows.map(({ scope }) => scope);
};

/** Goes to the minute in which a sealed row has its turn to be opened. */
function goToTurn(id: number): void {
  const minute = Math.floor(desk.clock.now() / 60_000);
  desk.clock.advance(((((id - minute) % 60) + 60) % 60) * 60_000);
}

test('a token inserted in the clear is sealed in place, and its scopes are split', async () => {
  const id = await desk.addToken(ME, { ...CLEAR, scopes: 'esi-a.read.v1, esi-b.read.v1,,esi-a.read.v1' });
  const off = await desk.addToken(OTHER, { ...CLEAR, is_active: false, inactive_reason: 'not yet' });
  expect(await encryptTokens(desk.context)).toEqual({ encrypted: 2, unreadable: 0 });
  const [access, refresh] = secrets(await desk.token(id));
  expect(cipher.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
  expect(cipher.decrypt(refresh, tokenContext(ME, 'refresh_token'))).toBe(REFRESH);
  expect(await scopesOf(id)).toEqual(['esi-a.read.v1', 'esi-b.read.v1']);
  expect(await desk.token(off)).toMatchObject({ is_active: false, inactive_reason: 'not yet' });
  for (const text of secrets(await desk.token(off))) expect(cipher.isEncrypted(text)).toBe(true);
  expect(await encryptTokens(desk.context)).toEqual({ encrypted: 0, unreadable: 0 });
  expect(secrets(await desk.token(id))).toEqual([access, refresh]);
  await desk.db.rows('UPDATE esi_tokens SET scopes = $2 WHERE id = $1', [id, 'esi-b.read.v1,esi-c.read.v1']);
  await encryptTokens(desk.context);
  expect(await scopesOf(id)).toEqual(['esi-b.read.v1', 'esi-c.read.v1']);
});

test('a refresh token alone will do', async () => {
  const id = await desk.addToken(ME, { refresh_token: ` ${REFRESH}\n` });
  expect(await encryptTokens(desk.context)).toEqual({ encrypted: 1, unreadable: 0 });
  const row = await desk.token(id);
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
    'a damaged seal',
    { refresh_token: `${sealedFor(ME).refresh_token.slice(0, -4)}AAAA` },
    /changed, truncated/,
  ],
  ['a truncated token', { refresh_token: sealedFor(ME).refresh_token.slice(0, 30) }, /changed, truncated/],
  ["another character's seal", sealedFor(OTHER), /copied from another row/],
  ['an unknown key', sealedFor(ME, createCipher([OTHER_KEY])), /with a key that is not in use/],
])('a row with %s is switched off with a reason, once', async (_, columns, reason) => {
  const id = await desk.addToken(ME, columns);
  const good = await desk.addToken(OTHER, sealedFor(OTHER));
  await desk.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'WALLET')`,
    [ME],
  );
  goToTurn(id);
  expect((await encryptTokens(desk.context)).unreadable).toBe(1);
  const row = await desk.token(id);
  expect(row).toMatchObject({ is_active: false, inactive_reason: expect.stringMatching(reason) as unknown });
  expect(row['inactive_reason']).toMatch(/[Ll]og the character in again\.$/);
  expect(await encryptTokens(desk.context)).toEqual({ encrypted: 0, unreadable: 0 });
  expect(await desk.token(id)).toEqual(row);
  expect(await desk.token(good)).toMatchObject({ is_active: true });
  const [resting] = await desk.db.rows('SELECT note FROM collector_assignments');
  expect(resting?.['note']).toBe(row['inactive_reason']);
  await expect(enableToken(desk.context, id, true)).rejects.toMatchObject({ code: 'TOKEN_UNUSABLE' });
});

test('a login whose key comes back is used again', async () => {
  const other = createCipher([OTHER_KEY]);
  const id = await desk.addToken(ME, sealedFor(ME, other));
  goToTurn(id);
  await encryptTokens(desk.context);
  expect(await desk.token(id)).toMatchObject({ is_active: false });
  desk.clock.advance(60_000); // a row that is off for its seal is looked at every minute
  await encryptTokens(desk.withKeys(TEST_KEY, OTHER_KEY));
  expect(await desk.token(id)).toMatchObject({ is_active: true, inactive_reason: null });
});

test('a row in use is left for the next time', async () => {
  const id = await desk.addToken(ME, CLEAR);
  await desk.db.transaction(async (client) => {
    await client.query('SELECT FROM esi_tokens WHERE id = $1 FOR UPDATE', [id]);
    expect(await encryptTokens(desk.context)).toEqual({ encrypted: 0, unreadable: 0 });
  });
  expect(await encryptTokens(desk.context)).toEqual({ encrypted: 1, unreadable: 0 });
});

test('twins seal a row once', async () => {
  const id = await desk.addToken(ME, CLEAR);
  const counts = await Promise.all([1, 2, 3, 4].map(() => encryptTokens(desk.context)));
  expect(counts.reduce((sum, { encrypted }) => sum + encrypted, 0)).toBe(1);
  const [access] = secrets(await desk.token(id));
  expect(cipher.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
});

test('rekey seals everything with the first key, logins under way included', async () => {
  const id = await desk.addToken(ME, sealedFor(ME));
  const bad = await desk.addToken(OTHER, sealedFor(OTHER, createCipher([Buffer.alloc(32, 1)])));
  const [context] = ['login/abc'];
  await desk.db.rows(`INSERT INTO esi_logins (state_hash, verifier, scopes) VALUES ('abc', $1, '')`, [
    cipher.encrypt('the verifier', context),
  ]);
  const before = secrets(await desk.token(bad));
  const both = desk.withKeys(OTHER_KEY, TEST_KEY);
  expect(await rekeyTokens(both)).toEqual({ rekeyed: 1, unreadable: 1 });
  expect(await rekeyTokens(both)).toEqual({ rekeyed: 0, unreadable: 1 });
  const next = createCipher([OTHER_KEY]);
  const [access, refresh] = secrets(await desk.token(id));
  expect(next.decrypt(access, tokenContext(ME, 'access_token'))).toBe(ACCESS);
  expect(next.decrypt(refresh, tokenContext(ME, 'refresh_token'))).toBe(REFRESH);
  const [login] = await desk.db.rows<{ verifier: string }>('SELECT verifier FROM esi_logins');
  expect(next.decrypt(login!.verifier, context)).toBe('the verifier');
  expect(secrets(await desk.token(bad))).toEqual(before);
});

test('listing tells everything but secrets', async () => {
  await desk.db.rows(`INSERT INTO corporations (corporation_id, name) VALUES (98000001, 'Some Corporation')`);
  await desk.db.rows('UPDATE characters SET corporation_id = 98000001 WHERE character_id = $1', [ME]);
  const expires = new Date('2026-11-20T14:20:00Z');
  await desk.addToken(ME, { ...CLEAR, owner_hash: 'hash==', scopes: 'esi-a.read.v1', expires_at: expires });
  await desk.addToken(OTHER, { ...sealedFor(OTHER), is_active: false });
  const listed = await listTokens(desk.context);
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
  const id = await desk.addToken(ME, sealedFor(ME));
  await desk.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type, next_collection_at) VALUES ($1, 'WALLET', now())`,
    [ME],
  );
  await enableToken(desk.context, id, false);
  expect(await desk.token(id)).toMatchObject({ is_active: false });
  const resting = () => desk.db.rows('SELECT note, next_collection_at FROM collector_assignments');
  expect(await resting()).toMatchObject([
    { note: expect.stringContaining('The login is disabled.') as unknown },
  ]);
  await encryptTokens(desk.context);
  expect(await desk.token(id)).toMatchObject({ is_active: false });
  await enableToken(desk.context, id, true);
  expect(await desk.token(id)).toMatchObject({ is_active: true, inactive_reason: null });
  expect(await resting()).toEqual([{ note: null, next_collection_at: null }]);
  await expect(enableToken(desk.context, 999, true)).rejects.toMatchObject({ code: 'UNKNOWN_TOKEN' });
});

test('deleting a login revokes it at EVE, and succeeds while EVE is unreachable', async () => {
  const mine = await desk.addToken(ME, sealedFor(ME));
  const other = await desk.addToken(OTHER, CLEAR);
  await desk.db.rows(
    `INSERT INTO collector_assignments (character_id, collector_type) VALUES ($1, 'WALLET')`,
    [ME],
  );
  expect(await deleteToken(desk.context, mine)).toEqual({ revoked: true });
  expect(revoked).toEqual([REFRESH]);
  isAway = true;
  expect(await deleteToken(desk.context, other)).toEqual({ revoked: false });
  expect(await listTokens(desk.context)).toEqual([]);
  expect(await desk.db.rows('SELECT is_enabled, note FROM collector_assignments')).toMatchObject([
    { is_enabled: true, note: expect.stringContaining('log it in again') as unknown },
  ]);
  await expect(deleteToken(desk.context, mine)).rejects.toMatchObject({ code: 'UNKNOWN_TOKEN' });
});
