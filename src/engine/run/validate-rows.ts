import type { z } from 'zod';
import type { AnyResource } from '../../collectors/define.ts';
import { AppError } from '../../lib/errors.ts';
import type { RejectedRow } from '../../store/sets/rejected-rows.ts';

export interface ValidatedRows {
  readonly kept: readonly Readonly<Record<string, unknown>>[];
  readonly rejected: readonly RejectedRow[];
}

/** Where and why a row failed: `price: Invalid input: expected number, received null`. */
function reasonOf(error: z.ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.join('.') || 'row'}: ${issue.message}`)
    .join(', ')
    .slice(0, 500);
}

/** The key of a row that failed elsewhere, when each part of it is good. */
function readKey(set: AnyResource, row: unknown): Record<string, unknown> | undefined {
  if (typeof row !== 'object' || row === null) return undefined;
  const key: Record<string, unknown> = {};
  for (const column of set.key as string[]) {
    const shape = set.row.shape as Record<string, z.ZodType>;
    const parsed = shape[column]?.safeParse((row as Record<string, unknown>)[column]);
    if (!parsed?.success) return undefined;
    key[column] = parsed.data;
  }
  return key;
}

/** A row under the names of the table's columns. */
function renamed(names: Readonly<Record<string, string>>, row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  const copy = { ...row } as Record<string, unknown>;
  for (const [column, field] of Object.entries(names)) copy[column] = copy[field];
  return copy;
}

/** The error of an answer that is not what its route promises. Not repeated: ESI gives the same until it expires. */
export const badShape = (message: string) =>
  new AppError(message, { code: 'ESI_BAD_SHAPE', verdict: 'fail' });

/**
 * Splits the rows of an answer into those that fit the set's row and those that do not, with the reason.
 * Unknown fields are left out. Throws AppError ESI_BAD_SHAPE when the answer is no list at all.
 */
export function validateRows(set: AnyResource, json: unknown): ValidatedRows {
  const list = set.rows ? set.rows(json) : json;
  if (!Array.isArray(list)) {
    throw badShape(
      `ESI answered ${set.route} with ${json === null ? 'null' : typeof json} instead of ${set.answers ?? 'a list'}.`,
    );
  }
  const kept: Record<string, unknown>[] = [];
  const rejected: RejectedRow[] = [];
  const schema = set.row as z.ZodObject;
  for (const given of list as unknown[]) {
    const row = set.rename ? renamed(set.rename as Record<string, string>, given) : given;
    const parsed = schema.safeParse(row);
    if (parsed.success) kept.push(parsed.data);
    else rejected.push({ row: given, reason: reasonOf(parsed.error), key: readKey(set, row) });
  }
  return { kept, rejected };
}
