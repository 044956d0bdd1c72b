import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate } from '../../src/store/migrate.ts';
import { emptyDatabase } from '../support/test-database.ts';
import { schemaDrift } from '../support/schema-drift.ts';

const NOW = new Date('2026-11-20T14:00:00Z');

let database: Awaited<ReturnType<typeof emptyDatabase>>;
let client: pg.Client;
beforeEach(async () => {
  database = await emptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

const tables = async () =>
  (
    await client.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p')
     AND relnamespace::regnamespace::text IN ('public', 'stage')`)
  ).rows.map((row) => row.name);

test('migrate applies every migration to an empty database and creates the partitions of this month and the next two', async () => {
  const folders = await readdir(new URL('../../prisma/migrations', import.meta.url), { withFileTypes: true });
  const names = folders.filter((f) => f.isDirectory()).map((f) => f.name);
  expect(await migrate(database.url, NOW)).toEqual(names.toSorted());
  const there = await tables();
  for (const month of ['2026_11', '2026_12', '2027_01'])
    expect(there).toEqual(
      expect.arrayContaining([`market_order_changes_${month}`, `market_type_series_${month}`]),
    );
});

test('migrate does nothing when it is repeated', async () => {
  await migrate(database.url, NOW);
  const before = await client.query('SELECT * FROM _prisma_migrations');
  expect(await migrate(database.url, NOW)).toEqual([]);
  expect((await client.query('SELECT * FROM _prisma_migrations')).rows).toEqual(before.rows);
});

test('of three concurrent calls of migrate one applies the migrations and all succeed', async () => {
  const applied = await Promise.all([1, 2, 3].map(() => migrate(database.url, NOW)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  expect(await schemaDrift(database.url)).toBe('');
});

test('a migration whose connection is killed leaves nothing behind, and the next call applies everything', async () => {
  // An uncommitted table of the same name makes the migration wait in the middle of its work.
  await client.query('BEGIN');
  await client.query('CREATE TABLE published_sets (x int)');
  const migrating = migrate(database.url, NOW).catch((error: unknown) => error);
  const killer = new pg.Client({ connectionString: database.url });
  await killer.connect();
  let killed = 0;
  while (killed === 0) {
    const { rowCount } = await killer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%pg_stat_activity%'`,
    );
    killed = rowCount ?? 0;
  }
  await killer.end();
  await client.query('ROLLBACK');
  expect(await migrating).toMatchObject({ code: 'MIGRATION_FAILED', verdict: 'fail' });
  expect(await tables()).toEqual([]);
  expect(await migrate(database.url, NOW)).not.toEqual([]);
  expect(await schemaDrift(database.url)).toBe('');
});

test('schemaDrift reports a column and an index that were changed by hand', async () => {
  await migrate(database.url, NOW);
  expect(await schemaDrift(database.url)).toBe('');
  await client.query('ALTER TABLE types ADD COLUMN colour text');
  expect(await schemaDrift(database.url)).toMatch(/ALTER TABLE "types" DROP COLUMN "colour"/);
  await client.query('ALTER TABLE types DROP COLUMN colour');
  await client.query('DROP INDEX types_group_id_idx');
  expect(await schemaDrift(database.url)).toMatch(/CREATE INDEX "types_group_id_idx"/);
});

test('migrate names a database that does not exist', async () => {
  const url = new URL(database.url);
  url.pathname = '/no_such_database';
  await expect(migrate(url.href, NOW)).rejects.toMatchObject({
    code: 'MIGRATION_FAILED',
    message: expect.stringContaining('no_such_database'),
  });
});
