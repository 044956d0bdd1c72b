import { z } from 'zod';
import type { AnyResource } from '../../collectors/define.ts';
import { rowColumns, type SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import type { Fingerprinter } from './fingerprint.ts';
import { type KeyList, toKey } from './key-list.ts';
import type { PublishedRows } from './published-rows.ts';

type Row = Readonly<Record<string, unknown>>;

/**
 * Parts the rows of a page: those that are as published need no more work, and their keys are added to `keys`. Returns the
 * others, which are new, changed or invalid.
 */
export function withoutUnchanged(
  { resource, spec }: { readonly resource: AnyResource; readonly spec: SnapshotSpec },
  published: PublishedRows,
  fingerprinter: Fingerprinter,
  rows: readonly unknown[],
  keys: KeyList,
): unknown[] {
  const keyField = fieldOf(resource, spec.key[0]!);
  const fields = rowColumns(spec).map((column) => ({
    field: fieldOf(resource, column),
    absent: defaultOf(resource, column),
  }));
  const values: unknown[] = Array.from(fields, () => undefined);
  return rows.filter((row) => {
    if (typeof row !== 'object' || row === null) return true;
    const key = toKey((row as Row)[keyField]);
    if (key === undefined) return true;
    for (let i = 0; i < fields.length; i++) values[i] = (row as Row)[fields[i]!.field] ?? fields[i]!.absent;
    if (!fingerprinter.compute(values) || !published.has(key, fingerprinter)) return true;
    keys.add(key);
    return false;
  });
}

const fieldOf = (resource: AnyResource, column: string): string =>
  (resource.fields as Record<string, string> | undefined)?.[column] ?? column;

/** What a row has where ESI leaves the field out. */
function defaultOf(resource: AnyResource, column: string): unknown {
  const type = (resource.row.shape as Record<string, unknown>)[column];
  return type instanceof z.ZodDefault ? type.def.defaultValue : undefined;
}
