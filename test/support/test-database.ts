import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { silentLog } from '../../src/lib/log.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';

export interface TestDatabase extends Database {
  readonly url: string;
  /** Rows of a query, for assertions. */
  rows<T extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]>;
  drop(): Promise<void>;
}

function serverUrl(): string {
  const url = process.env['EVE_TEST_DATABASE_URL'];
  if (!url)
    throw new Error('EVE_TEST_DATABASE_URL is not set: the global set-up starts PostgreSQL and sets it');
  return url;
}

/** Runs `work` on a connection of its own to the test server. */
async function withServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

const randomName = () => `test_${randomBytes(6).toString('hex')}`;

/**
 * A new database, empty or a copy of `template`; `drop` removes it. FILE_COPY takes 60 ms for the 10 MB of a
 * migrated database where the default, WAL_LOG, takes 180 ms.
 */
export async function emptyDatabase(template?: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = randomName();
  const source = template === undefined ? '' : ` TEMPLATE ${template} STRATEGY FILE_COPY`;
  await withServer((client) => client.query(`CREATE DATABASE ${name}${source}`));
  return {
    url: databaseUrl(name),
    async drop() {
      await withServer((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** Any constant: test files that need the same template at the same time queue on this advisory lock. */
const TEMPLATE_LOCK = 7_203_179;

const ROOT = path.resolve(import.meta.dirname, '../..');

/** The migrations and the code that applies them decide what a migrated database looks like. */
async function migrationsHash(): Promise<string> {
  const dir = path.join(ROOT, 'prisma/migrations');
  const migrations = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.sql')).sort();
  const files = [
    ...migrations.map((name) => path.join(dir, name)),
    path.join(ROOT, 'src/store/migrate.ts'),
    path.join(ROOT, 'src/store/partitions.ts'),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

/**
 * The name of a migrated database to copy. The partitions of a migrated database depend on the month, so there is one
 * template per month, made by whoever needs it first. The name carries the hash of the migrations, because a server
 * named by the environment outlives the test run.
 */
async function migratedTemplate(now: Date): Promise<string> {
  const month = now.toISOString().slice(0, 7).replace('-', '');
  const name = `template_${await migrationsHash()}_${month}`;
  return withServer(async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount !== 0) return name;
    // The template gets its name when it is complete, so a killed test run leaves no incomplete template.
    const draft = randomName();
    await client.query(`CREATE DATABASE ${draft}`);
    await migrate(databaseUrl(draft), now);
    await client.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    return name;
  });
}

/** A new database with all migrations applied. */
export async function testDatabase(now = new Date('2026-11-20T14:00:00Z')): Promise<TestDatabase> {
  const empty = await emptyDatabase(await migratedTemplate(now));
  const { url } = empty;
  const db = openDatabase({ url, maxConnections: 10, minConnections: 0, log: silentLog });
  return {
    ...db,
    url,
    async rows<T extends object>(text: string, values: unknown[] = []) {
      return (await db.pool.query<T>(text, values)).rows;
    },
    async drop() {
      await db.close();
      await empty.drop();
    },
  };
}
