import { STATIC_TABLE_NAMES, STATIC_TABLES } from '../../src/store/universe/static-tables.ts';
import type { TestEngine } from './test-engine.ts';

/** The rows of all static tables, without the given columns. */
export async function readStaticTables({ db }: TestEngine, without: readonly string[] = []) {
  const tables: Record<string, unknown[]> = {};
  for (const name of STATIC_TABLE_NAMES) {
    const columns = STATIC_TABLES[name].columns.filter((column) => !without.includes(column));
    tables[name] = await db.rows(`SELECT ${columns.join(', ')} FROM ${name} ORDER BY 1`);
  }
  return tables;
}
