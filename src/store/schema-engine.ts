import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import type { Pool } from 'pg';

interface Glue {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
  SchemaEngine: typeof SchemaEngine;
}

const require = createRequire(import.meta.url);
let loading: Promise<Glue> | undefined;

/** The engine bounds its wait for Prisma's own lock by ten seconds and never clears that timer: it must not keep us up. */
function withIdleTimers(glue: Glue): WebAssembly.ModuleImports {
  const imports: WebAssembly.ModuleImports = { ...glue };
  const name = Object.keys(imports).find((key) => key.startsWith('__wbg_setTimeout_'));
  if (name !== undefined)
    imports[name] = (work: () => void, ms: number) => setTimeout(work, ms >>> 0).unref();
  return imports;
}

/** Node does not import `.wasm` files by itself. The glue keeps one instance per process, so it is made once. */
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
 * The engine's look at a database asks for three columns of `pg_constraint` of Postgres' one-byte type "char", which adapter
 * 7.10 cannot read, though it can as text. And it gives up at the NOT NULL constraints ('n') that PostgreSQL 18 lists,
 * and at CHECK constraints ('c').
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

/**
 * Prisma's schema engine as WebAssembly over our own pool. The native engine is a download that many machines cannot
 * make, and `prisma migrate deploy` without it exits 0 and does nothing.
 */
export async function openSchemaEngine(pool: Pool, schemas: [string, string][]): Promise<SchemaEngine> {
  const glue = await (loading ??= load());
  const adapter = bindMigrationAwareSqlAdapterFactory(readableConstraints(new PrismaPg(pool)));
  return glue.SchemaEngine.new({ datamodels: schemas }, () => undefined, adapter);
}
