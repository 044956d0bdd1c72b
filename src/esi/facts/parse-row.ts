import { z } from 'zod';

/** The fields of a schema that may be absent, and whether they hold ids, which start at 1. */
const optionalFields = new WeakMap<z.ZodType, ReadonlyMap<string, { readonly isId: boolean }>>();

function optionalFieldsOf(schema: z.ZodType): ReadonlyMap<string, { readonly isId: boolean }> {
  let fields = optionalFields.get(schema);
  if (!fields) {
    const object = schema instanceof z.ZodPipe ? schema.in : schema;
    const shape = object instanceof z.ZodObject ? (object.shape as Record<string, z.ZodType>) : {};
    fields = new Map(
      Object.entries(shape)
        .filter(([, field]) => field.safeParse(undefined).success)
        .map(([name, field]) => [name, { isId: !field.safeParse(0).success && field.safeParse(1).success }]),
    );
    optionalFields.set(schema, fields);
  }
  return fields;
}

function isBlank(value: unknown, isId: boolean): boolean {
  if (value === null || value === '') return true;
  if (value === 0) return isId;
  return typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype && isEmpty(value);
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/**
 * Validates one row of a source. A field that may be absent is absent too when it is `null`, an empty text, an empty
 * object, or 0 where it holds an id: CCP's encoders leave out what has its default, and sometimes write the default.
 */
export function parseRow<T extends z.ZodType>(schema: T, row: unknown): z.ZodSafeParseResult<z.output<T>> {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return schema.safeParse(row);
  let copy: Record<string, unknown> | undefined;
  for (const [name, { isId }] of optionalFieldsOf(schema)) {
    const value = (row as Record<string, unknown>)[name];
    if (value === undefined || !isBlank(value, isId)) continue;
    copy ??= { ...row } as Record<string, unknown>;
    delete copy[name];
  }
  return schema.safeParse(copy ?? row);
}

/** The same for a caller that handles the ZodError of an invalid row. */
export function parseRowOrThrow<T extends z.ZodType>(schema: T, row: unknown): z.output<T> {
  const { data, error } = parseRow(schema, row);
  if (error) throw error;
  return data;
}
