import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { AnyResource } from '../../src/collectors/define.ts';
import { TARGET_KINDS } from '../../src/collectors/targets.ts';
import { ENRICHED_COLUMNS } from '../../src/collectors/vocabulary.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';
import { namedResources } from './resources.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

interface Column {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly length: number | null;
  readonly precision: number | null;
  readonly scale: number | null;
}

/** What a column must hold, as JSON Schema says it of the row's shape. */
interface Field {
  readonly type: 'integer' | 'number' | 'string' | 'boolean';
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}

async function columnsOf(table: string): Promise<Map<string, Column>> {
  const rows = await db.rows<Column>(
    `SELECT column_name AS name, data_type AS type, is_nullable = 'YES' AS nullable,
            character_maximum_length AS length, numeric_precision AS precision, numeric_scale AS scale
       FROM information_schema.columns WHERE table_name = $1 AND table_schema = current_schema()`,
    [table],
  );
  return new Map(rows.map((row) => [row.name, row]));
}

/** Why values of the field may not fit the column, or undefined when all of them do. */
function misfit(field: Field, column: Column): string | undefined {
  const { minimum = -Infinity, maximum = Infinity } = field;
  const largest = Math.max(Math.abs(minimum), Math.abs(maximum));
  switch (column.type) {
    case 'bigint':
      return field.type === 'integer' ? undefined : `${field.type} in a bigint`;
    case 'integer':
    case 'smallint': {
      if (field.type !== 'integer') return `${field.type} in an ${column.type}`;
      const limit = column.type === 'integer' ? 2 ** 31 : 2 ** 15;
      return minimum >= -limit && maximum < limit
        ? undefined
        : `${minimum} to ${maximum} in an ${column.type}`;
    }
    case 'double precision':
      return field.type === 'number' ? undefined : `${field.type} in a double precision`;
    case 'numeric':
      if (field.type !== 'number') return `${field.type} in a numeric`;
      return largest < 10 ** (column.precision! - column.scale!) ? undefined : `${largest} in a numeric`;
    case 'boolean':
      return field.type === 'boolean' ? undefined : `${field.type} in a boolean`;
    case 'timestamp with time zone':
      return field.format === 'date-time' ? undefined : `${field.type} in a timestamp`;
    case 'text':
    case 'character varying':
      if (field.type !== 'string') return `${field.type} in a text`;
      return (field.maxLength ?? Infinity) <= (column.length ?? Infinity) ? undefined : 'a longer text';
    default:
      return `a column of the type ${column.type}`;
  }
}

interface RowShape {
  readonly properties: Readonly<Record<string, Field>>;
  readonly required?: readonly string[];
}

const shapeOf = (resource: AnyResource): RowShape =>
  z.toJSONSchema(resource.row as z.ZodObject, {
    // zod names only the last check of a string: `starts_with` for a date-time of this century.
    override: ({ zodSchema, jsonSchema }) => {
      // A large integer is a text of digits.
      if (jsonSchema.anyOf?.[0]?.type === 'integer') jsonSchema.type = 'integer';
      if (zodSchema instanceof z.ZodISODateTime) jsonSchema.format = 'date-time';
    },
  }) as unknown as RowShape;

/** Columns that the target fills: the owner's or region's id, and the division. */
function targetColumns(resource: AnyResource): string[] {
  const columns: string[] = resource.for === undefined ? [] : [TARGET_KINDS[resource.for]];
  return resource.per === 'division' ? [...columns, 'division'] : columns;
}

test.each(namedResources)('every column of %s fits the table', async (_, resource) => {
  const columns = await columnsOf(resource.table);
  const { properties, required = [] } = shapeOf(resource);
  const problems: string[] = [];
  for (const [name, field] of Object.entries(properties)) {
    const column = columns.get(name);
    const problem = column ? misfit(field, column) : 'no such column';
    if (problem) problems.push(`${name}: ${problem}`);
    if (column && !column.nullable && !required.includes(name))
      problems.push(`${name}: optional, but NOT NULL`);
  }
  expect(problems).toEqual([]);
  const enriched = (resource.enrichments ?? []).flatMap(({ kind }) => ENRICHED_COLUMNS[kind]);
  const others = [...enriched, ...targetColumns(resource), resource.versionedAt];
  expect(others.filter((name) => !columns.has(name))).toEqual([]);
});

interface UniqueIndex {
  readonly columns: string[];
  readonly nulls_equal: boolean;
}

test.each(namedResources)('the key of %s has a unique index', async (_, resource) => {
  const indexes = await db.rows<UniqueIndex>(
    `SELECT i.indnullsnotdistinct AS nulls_equal,
            (SELECT array_agg(a.attname::text) FROM pg_attribute a
              WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)) AS columns
       FROM pg_index i
      WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL`,
    [resource.table],
  );
  const { policy } = resource.change;
  const isSeries = policy === 'changes' || policy === 'daily'; // one row per key and moment
  const target = targetColumns(resource);
  const written = new Set([...Object.keys(shapeOf(resource).properties), ...target, resource.versionedAt]);
  const key = [...(resource.key as string[]), ...(isSeries ? [resource.versionedAt] : [])].sort();
  const found = indexes.filter(({ columns, nulls_equal }) => {
    // The other kind of owner is null in all rows of this resource.
    const unwritten = columns.filter((name) => !written.has(name));
    const rest = columns.filter((name) => written.has(name) && !target.includes(name));
    return rest.sort().join() === key.join() && (unwritten.length === 0 || nulls_equal);
  });
  expect(found).not.toEqual([]);
});
