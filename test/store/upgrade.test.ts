import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { FAULT_TEXTS } from '../../src/engine/owners/token-encryption.ts';
import { assertMigrated, migrate } from '../../src/store/migrate.ts';
import { emptyDatabase } from '../support/test-database.ts';

const MIGRATIONS = path.join(import.meta.dirname, '../../prisma/migrations');
const NOW = new Date('2026-11-28T00:00:00Z');

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

/** Brings the database to the state before a migration, as an earlier version left it. */
async function migrateUntil(name: string): Promise<void> {
  await client.query(
    `CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
       migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
       started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`,
  );
  const entries = await readdir(MIGRATIONS, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory() && entry.name < name)
    .map((entry) => entry.name);
  for (const earlier of names.toSorted()) {
    await client.query(await readFile(path.join(MIGRATIONS, earlier, 'migration.sql'), 'utf8'));
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ($1, '', $2, now())`,
      [randomUUID(), earlier],
    );
  }
}

const rows = async (text: string) => (await client.query<Record<string, unknown>>(text)).rows;

test('an upgrade to plain names renames rate limit buckets and the keys of their state', async () => {
  await migrateUntil('20261128000000_plain_names');
  const limit = { tokens: 300, windowMs: 60_000 };
  const until = Date.now() + 600_000;
  const empty = { slots: [], leases: {}, foreign: 0, foreignAt: 0 };
  const states = {
    ceiling: { ...empty, slots: [[until, 7, 'a']], limit, drip: { content: 5, at: 1 } },
    errors: { ...empty, foreign: 3, foreignAt: until, limit, held: { until, why: 'x' } },
    'hidden /markets/{region_id}/history': { ...empty, strict: limit },
    'industry/ip': { ...empty, leases: { a: { tokens: 2, until } } },
    // From a worker of the new version that was started before the migration.
    ESI_RATE_LIMIT: { slots: [], leases: {}, externalUsage: 0, externalUsageAt: 0 },
    'market/ip': { slots: [], leases: {}, externalUsage: 0, externalUsageAt: 0 },
  };
  for (const [bucket, state] of Object.entries(states))
    await client.query('INSERT INTO esi_buckets (bucket, state) VALUES ($1, $2)', [bucket, state]);
  await migrate(database.url, NOW);
  const buckets = await rows('SELECT bucket, state FROM esi_buckets');
  const renamed = { slots: [], leases: {}, externalUsage: 0, externalUsageAt: 0 };
  expect(Object.fromEntries(buckets.map(({ bucket, state }) => [bucket, state]))).toEqual({
    ESI_RATE_LIMIT: { ...renamed, slots: [[until, 7, 'a']], limit, burst: { tokens: 5, at: 1 } },
    'error limit': {
      ...renamed,
      externalUsage: 3,
      externalUsageAt: until,
      limit,
      blocked: { until, reason: 'x' },
    },
    'hidden limit /markets/{region_id}/history': { ...renamed, stricterLimit: limit },
    'industry/ip': { ...renamed, leases: { a: { tokens: 2, until } } },
  });
});

test('an upgrade to plain names closes open runs, and keeps staged imports and reasons recognisable', async () => {
  await migrateUntil('20261128000000_plain_names');
  await client.query(`
    INSERT INTO collection_runs (run_id, collector, target, part) VALUES (7, 'universe', '', ''), (8, 'wallet', 'character/1', 'journal');
    CREATE UNLOGGED TABLE stage.r7_units (id BIGINT);
    INSERT INTO published_sets (collector, target, part, run_id, read_at, pages, rows, doubt_last_modified, doubt_rows)
    VALUES ('wallet', 'character/1', 'journal', 8, now(), 1, 1, now(), 5);
    INSERT INTO characters (character_id) VALUES (1);
    INSERT INTO esi_tokens (character_id, is_active, inactive_reason) VALUES (1, false,
      'The token was sealed with a key that is not in use here. Add that key to TOKEN_ENCRYPTION_KEY, or log the character in again.');
    INSERT INTO collector_assignments (character_id, collector_type, note)
    VALUES (1, 'WALLET', 'There is no token in the row. Log the character in again.')`);
  await migrate(database.url, NOW);
  expect(await rows('SELECT resource, outcome, error FROM collection_runs ORDER BY run_id')).toEqual([
    { resource: '', outcome: 'failed', error: 'The collector was upgraded.' },
    { resource: 'journal', outcome: 'failed', error: 'The collector was upgraded.' },
  ]);
  expect(await rows('SELECT resource, suspect_rows::int FROM published_sets')).toEqual([
    { resource: 'journal', suspect_rows: 5 },
  ]);
  expect(await rows(`SELECT to_regclass('stage.r7_import_items') IS NOT NULL AS renamed`)).toEqual([
    { renamed: true },
  ]);
  const [token] = await rows('SELECT inactive_reason FROM esi_tokens');
  const [assignment] = await rows('SELECT note FROM collector_assignments');
  expect(token?.['inactive_reason']).toMatch(
    /^The stored token was encrypted with a key that is not in use\./,
  );
  expect(assignment?.['note']).toMatch(/^The token is missing in the database row\./);
  expect(FAULT_TEXTS).toEqual(expect.arrayContaining([token?.['inactive_reason'], assignment?.['note']]));
});

test('a worker refuses a database that lacks a migration', async () => {
  await expect(assertMigrated(database.url)).rejects.toMatchObject({ code: 'NOT_MIGRATED' });
  await migrateUntil('20261128000000_plain_names');
  await expect(assertMigrated(database.url)).rejects.toMatchObject({ code: 'NOT_MIGRATED' });
  await migrate(database.url, NOW);
  await assertMigrated(database.url);
});
