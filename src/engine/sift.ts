import type { z } from 'zod';
import type { AnyRouteCollector } from '../collectors/define.ts';
import { AppError } from '../kernel/errors.ts';
import type { RejectedRow } from '../store/stage.ts';

export interface Sifted {
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
function readKey(collector: AnyRouteCollector, row: unknown): Record<string, unknown> | undefined {
  if (typeof row !== 'object' || row === null) return undefined;
  const key: Record<string, unknown> = {};
  for (const column of collector.key as string[]) {
    const shape = collector.row.shape as Record<string, z.ZodType>;
    const parsed = shape[column]?.safeParse((row as Record<string, unknown>)[column]);
    if (!parsed?.success) return undefined;
    key[column] = parsed.data;
  }
  return key;
}

/**
 * Splits the rows of an answer into those that fit the collector's row and those that do not, with the reason.
 * Unknown fields are left out. Throws AppError ESI_BAD_SHAPE when the answer is no list at all.
 */
export function sift(collector: AnyRouteCollector, json: unknown): Sifted {
  const list = collector.rows ? collector.rows(json) : json;
  if (!Array.isArray(list)) {
    throw new AppError(
      `ESI answered ${collector.route} with ${json === null ? 'null' : typeof json} instead of a list.`,
      {
        code: 'ESI_BAD_SHAPE',
        verdict: 'retry',
      },
    );
  }
  const kept: Record<string, unknown>[] = [];
  const rejected: RejectedRow[] = [];
  const schema = collector.row as z.ZodObject;
  for (const row of list as unknown[]) {
    const parsed = schema.safeParse(row);
    if (parsed.success) kept.push(parsed.data);
    else rejected.push({ row, reason: reasonOf(parsed.error), key: readKey(collector, row) });
  }
  return { kept, rejected };
}
