import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import { Pool } from 'pg';
import { findPrismaDir } from '../../src/store/migrate.ts';

interface Glue {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
  SchemaEngine: typeof SchemaEngine;
}

const require = createRequire(import.meta.url);
let loading: Promise<Glue> | undefined;

/** The engine limits its wait for Prisma's lock to ten seconds and never clears that timer, which would keep the process alive. */
function withIdleTimers(glue: Glue): WebAssembly.ModuleImports {
  const imports: WebAssembly.ModuleImports = { ...glue };
  const name = Object.keys(imports).find((key) => key.startsWith('__wbg_setTimeout_'));
  if (name !== undefined)
    imports[name] = (work: () => void, ms: number) => setTimeout(work, ms >>> 0).unref();
  return imports;
}

/** Node 20 does not import `.wasm` files. The glue code holds one instance per process, so it is loaded once. */
async function load(): Promise<Glue> {
  const glueFile = '@prisma/schema-engine-wasm/schema_engine_bg';
  const glue = (await import('@prisma/schema-engine-wasm/schema_engine_bg')) as unknown as Glue;
  const bytes = await readFile(require.resolve(glueFile).replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': withIdleTimers(glue),
  });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports['__wbindgen_start'] as () => void)();
  return glue;
}

/**
 * The engine's introspection selects three columns of `pg_constraint` of type "char", which adapter 7.10 reads only as
 * text. It also fails on the NOT NULL constraints ('n') that PostgreSQL 18 lists, and on CHECK constraints ('c').
 */
function readableConstraints(factory: PrismaPg): PrismaPg {
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = (query) =>
      queryRaw({
        ...query,
        sql: query.sql
          .replace(/\b(constr\.contype AS|con\.conf(?:del|upd)type\b)/g, (column) =>
            column.replace(/( AS)?$/, '::text$1'),
          )
          .replace("contype NOT IN ('p', 'u', 'f')", "contype NOT IN ('p', 'u', 'f', 'n', 'c')"),
      });
    return adapter;
  };
  return factory;
}

/** Opens Prisma's schema engine, compiled to WebAssembly, on a pool of ours. The native engine is a download. */
async function openSchemaEngine(pool: Pool, schema: [string, string]): Promise<SchemaEngine> {
  const glue = await (loading ??= load());
  const adapter = bindMigrationAwareSqlAdapterFactory(readableConstraints(new PrismaPg(pool)));
  return glue.SchemaEngine.new({ datamodels: [schema] }, () => undefined, adapter);
}

/** The SQL that would turn the database into what schema.prisma declares; empty when they agree. */
export async function schemaDrift(databaseUrl: string): Promise<string> {
  const pool = new Pool({ connectionString: databaseUrl, max: 2 });
  try {
    const configDir = await findPrismaDir();
    const content = await readFile(path.join(configDir, 'schema.prisma'), 'utf8');
    const engine = await openSchemaEngine(pool, ['schema.prisma', content]);
    const schema = { files: [{ path: 'schema.prisma', content }] };
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', ...schema, configDir },
      to: { tag: 'schemaDatamodel', ...schema },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    return (stdout ?? '').replaceAll(/^--.*$/gm, '').trim();
  } finally {
    await pool.end();
  }
}
