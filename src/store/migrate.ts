import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import { type ClientBase, Pool } from 'pg';
import { AppError, describeError } from '../lib/errors.ts';
import { ensurePartitions } from './partitions.ts';
import { openSchemaEngine } from './schema-engine.ts';

/** The oldest server we test against: MERGE, NULLS NOT DISTINCT and the planner's partition pruning are relied on. */
const OLDEST_POSTGRES = 160_000;

/** Any constant: two starters that migrate one database queue on this advisory lock. */
const MIGRATION_LOCK = 7_203_177;

const NO_FILTER = { externalTables: [], externalEnums: [] };

/** `prisma/` lies beside `src/` in a checkout and two folders up from `dist/src/` in a build. */
async function prismaDir(): Promise<string> {
  const here = path.dirname(fileURLToPath(import.meta.url));
  for (const up of ['../..', '../../..']) {
    const dir = path.resolve(here, up, 'prisma');
    if (await readFile(path.join(dir, 'schema.prisma')).catch(() => undefined)) return dir;
  }
  throw new AppError('The folder prisma/ is missing beside the program: install the package whole.', {
    code: 'NO_MIGRATIONS',
    verdict: 'fail',
  });
}

/** The schema as Prisma reads it: path and text. */
export async function readSchema(): Promise<[string, string]> {
  const file = path.join(await prismaDir(), 'schema.prisma');
  return ['schema.prisma', await readFile(file, 'utf8')];
}

async function readMigrations(): Promise<MigrationList> {
  const baseDir = path.join(await prismaDir(), 'migrations');
  const entries = await readdir(baseDir, { withFileTypes: true });
  const names = entries.filter((e) => e.isDirectory()).map((e) => e.name);
  return {
    baseDir,
    lockfile: { path: './migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.toSorted().map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok' as const,
            value: await readFile(path.join(baseDir, name, 'migration.sql'), 'utf8'),
          },
        },
      })),
    ),
  };
}

async function checkServer(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ v: number }>(`SELECT current_setting('server_version_num')::int AS v`);
  const version = rows[0]?.v ?? 0;
  if (version >= OLDEST_POSTGRES) return;
  throw new AppError(
    `The database is PostgreSQL ${Math.floor(version / 10_000)}; 16 or newer is needed. Upgrade it, or leave ` +
      'DATABASE_URL unset to use the embedded one.',
    { code: 'POSTGRES_TOO_OLD', verdict: 'fail' },
  );
}

/**
 * A pool of one connection in all: whatever the engine does through it happens inside one transaction. A second
 * connection, after the first broke, would go on outside of it, and is refused.
 */
function oneConnection(databaseUrl: string): Pool {
  let connections = 0;
  const onConnect = (client: ClientBase) => {
    client.on('error', () => undefined); // its statements fail, which is how we hear of it
    if (++connections > 1) throw new Error('the connection to the database broke off');
  };
  const pool = new Pool({ connectionString: databaseUrl, max: 1, idleTimeoutMillis: 0, onConnect });
  pool.on('error', () => undefined);
  return pool;
}

/**
 * Applies what is missing of `prisma/migrations` and makes the partitions of the coming months: one transaction, so a
 * kill leaves nothing half done. Safe to repeat and to run in two processes at once. Returns the names of the
 * migrations applied now. Throws AppError MIGRATION_FAILED with the engine's own words.
 */
export async function migrate(databaseUrl: string, now: Date): Promise<string[]> {
  const pool = oneConnection(databaseUrl);
  try {
    await checkServer(pool);
    await pool.query('BEGIN');
    await pool.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const engine = await openSchemaEngine(pool, [await readSchema()]);
    const input = { migrationsList: await readMigrations(), filters: NO_FILTER };
    const { appliedMigrationNames } = await engine.applyMigrations(input);
    await ensurePartitions(pool, now);
    await pool.query('COMMIT');
    return appliedMigrationNames;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(`The database could not be brought up to date: ${describeError(error)}`, {
      code: 'MIGRATION_FAILED',
      verdict: 'fail',
      cause: error,
    });
  } finally {
    await pool.end(); // an open transaction ends with its connection
  }
}

/** SQL that would turn the database into what schema.prisma says; empty when they agree. */
export async function schemaDrift(databaseUrl: string): Promise<string> {
  const pool = new Pool({ connectionString: databaseUrl, max: 2 });
  try {
    const [file, content] = await readSchema();
    const engine = await openSchemaEngine(pool, [[file, content]]);
    const schema = { files: [{ path: file, content }] };
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', ...schema, configDir: await prismaDir() },
      to: { tag: 'schemaDatamodel', ...schema },
      script: true,
      exitCode: null,
      filters: NO_FILTER,
    });
    return (stdout ?? '').replaceAll(/^--.*$/gm, '').trim();
  } finally {
    await pool.end();
  }
}
