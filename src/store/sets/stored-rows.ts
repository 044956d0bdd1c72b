import pg, { type PoolClient } from 'pg';
import { type ExactInt, toExactInt } from '../../lib/exact-int.ts';
import { copyFromQuery } from '../copy.ts';
import type { Database } from '../database.ts';
import { columnList } from '../sql-fragments.ts';
import { readPublishedSnapshot } from './published-snapshots.ts';
import { isPublished, rowColumns, type SnapshotSpec } from './snapshot-spec.ts';

/** A row as the table holds it, written as ESI writes it: a moment ends with `Z`, and an absent value is null. */
export interface StoredRow {
  readonly key: bigint;
  /** Its other columns that ESI's rows fill. */
  readonly values: readonly unknown[];
}

const { BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, TIMESTAMPTZ } = pg.types.builtins;

/** What makes a value of PostgreSQL's text, by type. A type that is not listed is text. */
const READERS = new Map<number, (text: string) => unknown>([
  [BOOL, (text) => text === 't'],
  [INT8, toExactInt],
  [TIMESTAMPTZ, (text) => text.replace(' ', 'T').replace(/\+00$/, 'Z')],
  ...[INT2, INT4, FLOAT4, FLOAT8, NUMERIC].map((type) => [type, Number] as const),
]);

/** A part of the rows of a published snapshot. */
export interface StoredRows {
  /** The run that published the snapshot. */
  readonly runId: number;
  /** Rows of the whole snapshot, when it was published. */
  readonly total: number;
  readonly rows: readonly StoredRow[];
}

/** The columns that make a StoredRow: the key, then those that ESI's rows fill. */
export const storedColumns = (spec: SnapshotSpec): string[] => [spec.key[0]!, ...rowColumns(spec)];

/** A row that a statement has returned. */
export function storedRow(spec: SnapshotSpec, row: Readonly<Record<string, unknown>>): StoredRow {
  const [key, ...values] = storedColumns(spec).map((column) => row[column]);
  return {
    key: BigInt(key as ExactInt),
    values: values.map((value) =>
      value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : value,
    ),
  };
}

/** Reads the rows of the snapshot that is published now, all of one moment. Yields nothing where there is none. */
export async function* readStoredRows(db: Database, spec: SnapshotSpec): AsyncGenerator<StoredRows> {
  const client = await db.pool.connect();
  let isDone = false;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    yield* readRows(client, spec);
    await client.query('COMMIT');
    isDone = true;
  } finally {
    client.release(!isDone); // closing the connection ends the transaction
  }
}

async function* readRows(client: PoolClient, spec: SnapshotSpec): AsyncGenerator<StoredRows> {
  const published = await readPublishedSnapshot(client, spec);
  if (!published || published.runId === 0) return;
  const select = `SELECT ${columnList(storedColumns(spec), 'b.')} FROM ${spec.table} b WHERE ${isPublished(spec, 'b')}`;
  const { fields } = await client.query(`${select} LIMIT 0`);
  const readers = fields.map(({ dataTypeID }) => READERS.get(dataTypeID) ?? String);
  for await (const lines of copyFromQuery(client, select)) {
    const rows = lines.map(([key, ...values]) => ({
      key: BigInt(key!),
      values: values.map((text, i) => (text === null ? null : readers[i + 1]!(text))),
    }));
    yield { runId: published.runId, total: published.rows, rows };
  }
}
