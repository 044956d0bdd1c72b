import type { Queryable } from '../database.ts';
import type { ResourceKey } from './snapshot-spec.ts';

/** Of a page with many bad rows the first hundred show what is wrong; the others are only counted. */
export const MAX_STORED_PER_PAGE = 100;

/** Characters of a stored row: enough for a person to find the fault. */
const MAX_ROW_LENGTH = 4_000;

/** Escapes that JSON allows and jsonb does not: U+0000 and lone surrogates. */
const NOT_IN_JSONB = /\\u(?:0000|d[89a-f])/;

/** A row of an answer that failed validation. */
export interface RejectedRow {
  readonly row: unknown;
  readonly reason: string;
  /** The row's key, where it is valid: the row exists, though its other values are not usable. */
  readonly key: Readonly<Record<string, unknown>> | undefined;
}

/** The JSON of a row. One that is nested so deeply that it has none is told as such. */
function toText(row: unknown): string {
  try {
    return JSON.stringify(row) ?? 'null';
  } catch {
    return '"nested too deeply"';
  }
}

/** Stores rejected rows with their reasons in `rejected_rows`: the first hundred of a page. */
export async function storeRejectedRows(
  db: Queryable,
  key: ResourceKey,
  runId: number,
  rejected: readonly RejectedRow[],
  now: Date,
): Promise<void> {
  if (rejected.length === 0) return;
  const stored = rejected.slice(0, MAX_STORED_PER_PAGE).map(({ row, reason }) => {
    const text = toText(row);
    if (text.length <= MAX_ROW_LENGTH && !NOT_IN_JSONB.test(text)) return { row, reason };
    return {
      row: text.slice(0, MAX_ROW_LENGTH).replaceAll(/\\u(?:0000|d[89a-f]..)|[\ud800-\udfff]/g, ''),
      reason,
    };
  });
  await db.query(
    `INSERT INTO rejected_rows (run_id, collector, target, row, reason, seen_at)
     SELECT $1, $2, $3, r.row, r.reason, $5 FROM json_to_recordset($4) AS r (row jsonb, reason text)`,
    [runId, key.collector, key.target, JSON.stringify(stored), now],
  );
}
