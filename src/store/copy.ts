import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
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

const UNESCAPED: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v' };

/** Decodes a field of COPY's text format; null for null. */
function decodeField(field: string): string | null {
  if (!field.includes('\\')) return field;
  if (field === '\\N') return null;
  return field.replaceAll(/\\(.)/g, (_, c: string) => UNESCAPED[c] ?? c);
}

/** Reads the rows of a query by COPY, three times as fast as by a cursor. Yields some 64 kB of rows at a time. */
export async function* copyFromQuery(client: PoolClient, query: string): AsyncGenerator<(string | null)[][]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of client.query(copyTo(`COPY (${query}) TO STDOUT`))) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    yield lines.map((line) => line.split('\t').map(decodeField));
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
