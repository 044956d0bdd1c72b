/** Quoted column names, separated by commas. `prefix` is put before each, e.g. `s.`. */
export const columnList = (columns: readonly string[], prefix = ''): string =>
  columns.map((column) => `${prefix}"${column}"`).join(', ');

/** Assignments of UPDATE: each column from the same column of `source`. */
export const assignments = (columns: readonly string[], source: string): string =>
  columns.map((column) => `"${column}" = ${source}."${column}"`).join(', ');

/** The condition that the columns of two tables differ, null being a value. */
export const differ = (columns: readonly string[], a: string, b: string): string =>
  `(${columnList(columns, `${a}.`)}) IS DISTINCT FROM (${columnList(columns, `${b}.`)})`;

/** The condition that two tables have the same key. An empty key, as of a single row, is always the same. */
export const sameKey = (key: readonly string[], a: string, b: string): string =>
  key.map((column) => `${a}."${column}" = ${b}."${column}"`).join(' AND ') || 'true';
