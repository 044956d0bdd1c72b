import type { Row } from './source.ts';

/** How a column is compared. `isk`: an amount of two decimals. `date`: a moment. */
export type ColumnKind = 'text' | 'isk' | 'date';

/** The columns of a table that ESI fills, by name. */
export type Columns = Readonly<Record<string, ColumnKind>>;

/** A row as one text, equal for equal rows of ESI and of the database. */
export function canonicalRow(columns: Columns, row: Row): string {
  return JSON.stringify(
    Object.entries(columns).map(([column, kind]) => {
      const value = row[column];
      if (value === undefined || value === null) return null;
      if (kind === 'date') return String(Date.parse(value as string));
      return kind === 'isk' ? (value as number).toFixed(2) : `${value as bigint}`;
    }),
  );
}

/** An expression of SQL for the same text as canonicalRow's, of the row `alias`. */
export function canonicalSql(columns: Columns, alias: string): string {
  const values = Object.entries(columns).map(([column, kind]) =>
    kind === 'date'
      ? `(extract(epoch FROM ${alias}.${column}) * 1000)::bigint::text`
      : `${alias}.${column}::text`,
  );
  return `json_build_array(${values.join(', ')})`;
}
