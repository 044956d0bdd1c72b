import type { Queryable } from '../database.ts';

/** A field that a route answers with and no collector knows. */
export interface UnknownField {
  readonly route: string;
  readonly field: string;
}

/** Stores unknown fields of a route. Returns those that were not stored before. */
export async function storeUnknownFields(
  db: Queryable,
  route: string,
  fields: readonly string[],
  now: Date,
): Promise<string[]> {
  const { rows } = await db.query<{ field: string }>(
    `INSERT INTO unknown_fields (route, field, first_seen_at) SELECT $1, unnest($2::text[]), $3
     ON CONFLICT DO NOTHING RETURNING field`,
    [route, fields, now],
  );
  return rows.map(({ field }) => field);
}

/** A source that invents names must not fill the metrics with labels. */
const MAX_READ = 100;

/** The unknown fields of all routes. */
export async function readUnknownFields(db: Queryable): Promise<UnknownField[]> {
  const { rows } = await db.query<UnknownField>(
    `SELECT route, field FROM unknown_fields ORDER BY first_seen_at, route, field LIMIT ${MAX_READ}`,
  );
  return rows;
}
