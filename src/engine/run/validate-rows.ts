import type { z } from 'zod';
import type { AnyResource } from '../../collectors/define.ts';
import { parseRow } from '../../esi/facts/parse-row.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { AppError } from '../../lib/errors.ts';
import { inSlices } from '../../lib/turns.ts';
import type { RejectedRow } from '../../store/sets/rejected-rows.ts';

/** The rows of an answer, parted by validation. */
export interface ValidatedRows {
  readonly valid: readonly Readonly<Record<string, unknown>>[];
  readonly rejected: readonly RejectedRow[];
}

/** Characters of a reason: several faults of one row, and no more than a person reads. */
const MAX_REASON_LENGTH = 500;

/** Twice the rows of the largest page, of a wallet: 2,500. An answer of more would keep the process busy for seconds. */
const MAX_ROWS_OF_PAGE = 5_000;

/** Five times the rows of the largest list without pages, industry/systems. */
const MAX_ROWS_OF_LIST = 200_000;

/** Invalid rows of an answer that are kept with their reasons. Others are counted, or they would fill the memory. */
const MAX_KEPT = 5_000;

/** Where and why a row is invalid: `price: Invalid input: expected number, received null`. */
export function formatIssues(error: z.ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.join('.') || 'row'}: ${issue.message}`)
    .join(', ')
    .slice(0, MAX_REASON_LENGTH);
}

/** The key of a row that is invalid elsewhere; undefined where the key is invalid too. */
function readKey(resource: AnyResource, row: unknown): Record<string, unknown> | undefined {
  if (typeof row !== 'object' || row === null) return undefined;
  const key: Record<string, unknown> = {};
  const shape = resource.row.shape as Record<string, z.ZodType>;
  for (const column of resource.key as string[]) {
    const parsed = shape[column]?.safeParse((row as Record<string, unknown>)[column]);
    if (!parsed?.success) return undefined;
    key[column] = parsed.data;
  }
  return key;
}

/** A row under the names of the table's columns. */
function renameFields(names: Readonly<Record<string, string>>, row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  const copy = { ...row } as Record<string, unknown>;
  for (const [column, field] of Object.entries(names)) copy[column] = copy[field];
  return copy;
}

/** The error of an answer that its route cannot give. It is not retried, since ESI gives the same until it expires. */
export const badShape = (message: string): AppError =>
  new AppError(message, { code: 'ESI_BAD_SHAPE', verdict: 'fail' });

/**
 * The rows of an answer, not validated yet. An answer without a body (204) is an empty list. Throws AppError ESI_BAD_SHAPE
 * when the answer is not a list, or has more rows than any real one.
 */
export function rowsOf(resource: AnyResource, json: unknown): readonly unknown[] {
  const answer = json === undefined && resource.expected === undefined ? [] : json;
  const list = resource.rows ? resource.rows(answer) : answer;
  if (!Array.isArray(list)) {
    const found = json === undefined ? 'nothing' : json === null ? 'null' : typeof json;
    throw badShape(
      `ESI answered ${resource.route} with ${found} instead of ${resource.expected ?? 'a list'}.`,
    );
  }
  const { paged, fromId } = factOf(resource.route);
  if (list.length > (paged || fromId !== undefined ? MAX_ROWS_OF_PAGE : MAX_ROWS_OF_LIST))
    throw badShape(`ESI answered ${resource.route} with ${list.length.toLocaleString('en')} rows.`);
  return list;
}

/** Validates rows of an answer, and lets other work have its turn in between. Unknown fields are left out. */
export async function validateRows(resource: AnyResource, rows: readonly unknown[]): Promise<ValidatedRows> {
  const valid: Record<string, unknown>[] = [];
  const rejected: RejectedRow[] = [];
  const schema = resource.row as z.ZodObject;
  await inSlices(rows, (original) => {
    const row = resource.fields
      ? renameFields(resource.fields as Record<string, string>, original)
      : original;
    const parsed = parseRow(schema, row);
    if (parsed.success) return void valid.push(parsed.data);
    const isKept = rejected.length < MAX_KEPT;
    const reason = isKept ? formatIssues(parsed.error) : 'too many rows of the answer are invalid';
    rejected.push({ row: isKept ? original : undefined, reason, key: readKey(resource, row) });
  });
  return { valid, rejected };
}
