import { randomBytes } from 'node:crypto';
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
  if (!url) throw new Error('the global set-up starts PostgreSQL and names it in EVE_TEST_DATABASE_URL');
  return url;
}

async function onServer(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  await client.query(text);
  await client.end();
}

/** An empty database of its own; `drop` removes it. */
export async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** A database of its own with all migrations applied. */
export async function testDatabase(now = new Date('2026-11-20T14:00:00Z')): Promise<TestDatabase> {
  const empty = await emptyDatabase();
  const { url } = empty;
  await migrate(url, now);
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
