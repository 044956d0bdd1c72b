import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { encryptTokens } from '../../../src/engine/owners/token-service.ts';
import { eventually } from '../../support/test-temporal.ts';
import { type TestOwners, testOwners } from './test-owners.ts';

const ME = 90000001;
const REFRESH = 'Rf+0plaintextRefreshToken/0==';

let owners: TestOwners;
beforeEach(async () => {
  owners = await testOwners();
  await owners.addCharacter(ME);
});
afterEach(() => owners.close());

/** Whether a text is in the table's file on disk. */
async function isInFile(text: string): Promise<boolean> {
  await owners.db.rows('CHECKPOINT'); // changed pages are in memory until then
  const rows = await owners.db.rows<{ found: boolean }>(
    `SELECT position($1::bytea IN pg_read_binary_file(pg_relation_filepath('esi_tokens'))) > 0 AS found`,
    [Buffer.from(text)],
  );
  return rows[0]!.found;
}

/** Waits until a text has left the file: a transaction in any database of the server may delay that to a later call. */
const leavesFile = (text: string) =>
  eventually(
    'the removal',
    async () => {
      if (!(await isInFile(text))) return true;
      await encryptTokens(owners.context);
      return false;
    },
    30_000,
  );

const addPlaintext = (text = REFRESH) => owners.addToken(ME, { refresh_token: text });

test('an inserted plaintext leaves the file of the table when it is encrypted', async () => {
  await addPlaintext();
  expect(await isInFile(REFRESH)).toBe(true);
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 1, unreadable: 0 });
  await leavesFile(REFRESH);
});

test('a plaintext that is no token leaves the file of the table as well', async () => {
  await addPlaintext('my token is secret');
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 0, unreadable: 1 });
  await leavesFile('my token is secret');
});

test('a plaintext that a running transaction may still see leaves the file after it', async () => {
  await addPlaintext();
  const reader = new Client({ connectionString: owners.db.url });
  await reader.connect();
  try {
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT count(*) FROM characters');
    await encryptTokens(owners.context);
    expect(await isInFile(REFRESH)).toBe(true);
    await reader.query('COMMIT');
  } finally {
    await reader.end();
  }
  expect(await encryptTokens(owners.context)).toEqual({ encrypted: 0, unreadable: 0 });
  await leavesFile(REFRESH);
});

test('a backup that holds the table delays the removal, and neither encrypting nor the use of logins', async () => {
  const id = await addPlaintext();
  const backup = new Client({ connectionString: owners.db.url });
  await backup.connect();
  try {
    await backup.query('BEGIN; LOCK TABLE esi_tokens IN ACCESS SHARE MODE');
    expect(await encryptTokens(owners.context)).toEqual({ encrypted: 1, unreadable: 0 });
    expect((await owners.token(id))['refresh_token']).toMatch(/^v1\./);
    await backup.query('COMMIT');
  } finally {
    await backup.end();
  }
  await encryptTokens(owners.context);
  await leavesFile(REFRESH);
});

test('statistics of the table hold no token', async () => {
  for (let n = 0; n < 100; n++) {
    await owners.addCharacter(ME + 1 + n);
    await owners.addToken(ME + 1 + n, { refresh_token: REFRESH });
  }
  await owners.db.rows('ANALYZE esi_tokens');
  const statistics = await owners.db.rows("SELECT * FROM pg_stats WHERE tablename = 'esi_tokens'");
  expect(statistics.length).toBeGreaterThan(3);
  expect(JSON.stringify(statistics)).not.toContain(REFRESH);
});
