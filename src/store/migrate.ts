import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from 'pg';
import { AppError, describeError } from '../lib/errors.ts';
import { openConnection } from './database.ts';
import { ensurePartitions } from './partitions.ts';

/** The oldest supported server, as `server_version_num`. The SQL relies on NULLS NOT DISTINCT and on partition pruning. */
const OLDEST_POSTGRES = 160_000;

/** Advisory lock key of migrations (any constant): processes that migrate one database run one after another. */
const MIGRATION_LOCK = 7_203_177;

/** Prisma's own bookkeeping table, so that Prisma's tools see which migrations are applied. */
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`;

interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Path of `prisma/`, which lies beside `src/` in a checkout and beside `dist/` in a build. Throws AppError NO_MIGRATIONS. */
export async function findPrismaDir(): Promise<string> {
  const here = path.dirname(fileURLToPath(import.meta.url));
  for (const up of ['../..', '../../..']) {
    const dir = path.resolve(here, up, 'prisma');
    if (await readFile(path.join(dir, 'schema.prisma')).catch(() => undefined)) return dir;
  }
  throw new AppError('The folder prisma/ is missing beside the program. Install the package again.', {
    code: 'NO_MIGRATIONS',
    verdict: 'fail',
  });
}

async function readMigrations(): Promise<Migration[]> {
  const dir = path.join(await findPrismaDir(), 'migrations');
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.toSorted().map(async (name) => ({
      name,
      sql: await readFile(path.join(dir, name, 'migration.sql'), 'utf8'),
    })),
  );
}

async function checkServerVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version >= OLDEST_POSTGRES) return;
  throw new AppError(
    `The database server is PostgreSQL ${Math.floor(version / 10_000)}; version 16 or newer is required. Upgrade it, ` +
      'or leave DATABASE_URL unset to use the embedded PostgreSQL.',
    { code: 'POSTGRES_TOO_OLD', verdict: 'fail' },
  );
}

async function applyMigration(client: Client, { name, sql }: Migration): Promise<void> {
  await client.query(sql);
  const checksum = createHash('sha256').update(sql).digest('hex');
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  );
}

async function readMissing(client: Client): Promise<Migration[]> {
  const { rows } = await client.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const applied = new Set(rows.map((row) => row.migration_name));
  return (await readMigrations()).filter(({ name }) => !applied.has(name));
}

async function applyMissing(client: Client): Promise<string[]> {
  await client.query(MIGRATIONS_TABLE);
  const missing = await readMissing(client);
  for (const migration of missing) await applyMigration(client, migration);
  return missing.map(({ name }) => name);
}

/**
 * Throws AppError NOT_MIGRATED where the database lacks a migration: a worker must not write what the next migration does
 * not expect.
 */
export async function assertMigrated(databaseUrl: string): Promise<void> {
  const client = await openConnection(databaseUrl);
  try {
    const { rows } = await client.query<{ known: boolean }>(
      `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS known`,
    );
    const missing = rows[0]?.known ? await readMissing(client) : await readMigrations();
    if (missing.length === 0) return;
  } finally {
    await client.end().catch(() => undefined);
  }
  throw new AppError(
    'The database has not been migrated to this version. Run "eve-collector migrate", or start "up" of this version first.',
    { code: 'NOT_MIGRATED', verdict: 'fail' },
  );
}

/**
 * Applies the missing migrations of `prisma/migrations` in the order of their names, and creates the partitions of the
 * coming months, in one transaction: a kill leaves nothing half done. Safe to repeat and to run in two processes at once.
 * Returns the names of the migrations applied now. Throws AppError MIGRATION_FAILED and POSTGRES_TOO_OLD.
 */
export async function migrate(databaseUrl: string, now: Date): Promise<string[]> {
  let client: Client | undefined;
  try {
    client = await openConnection(databaseUrl);
    await checkServerVersion(client);
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const applied = await applyMissing(client);
    await ensurePartitions(client, now);
    await client.query('COMMIT');
    return applied;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(`The database migration failed: ${describeError(error)}`, {
      code: 'MIGRATION_FAILED',
      verdict: 'fail',
      cause: error,
    });
  } finally {
    await client?.end().catch(() => undefined); // an open transaction is rolled back with its connection
  }
}
