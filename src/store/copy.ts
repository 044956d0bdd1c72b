import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { columnList } from './sql-fragments.ts';

const SPECIAL = /[\\\n\r\t\0]/;
const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '' };

/** Encodes a value in COPY's text format. PostgreSQL cannot store the character U+0000, so it is left out. */
export function encodeValue(value: unknown): string {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? 't' : 'f';
    case 'string':
      return SPECIAL.test(value) ? value.replaceAll(/[\\\n\r\t\0]/g, (c) => ESCAPES[c]!) : value;
    default:
      return value instanceof Date ? value.toISOString() : '\\N';
  }
}

/** Encodes rows as lines of COPY's text format: the columns, then `tail` (already encoded) on every line. */
export function encodeRows(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
  tail = '',
): string {
  let text = '';
  for (const row of rows) {
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) text += '\t';
      text += encodeValue(row[columns[i]!]);
    }
    text += tail + '\n';
  }
  return text;
}

/** Sends text in COPY format to a table. Returns the number of rows. `chunks` may be lazy: one is read at a time. */
export async function copyInto(
  client: PoolClient,
  table: string,
  columns: readonly string[],
  chunks: Iterable<string | Buffer> | AsyncIterable<string>,
): Promise<number> {
  const sink = client.query(copyFrom(`COPY ${table} (${columnList(columns)}) FROM STDIN`));
  await pipeline(Readable.from(chunks, { objectMode: false }), sink);
  return sink.rowCount;
}
