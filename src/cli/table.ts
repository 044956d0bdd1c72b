import { escapeInvisible } from '../lib/text.ts';

/**
 * Formats rows as aligned columns below a heading, with columns of numbers aligned to the right. Invisible characters of a
 * cell are shown as symbols, so that a name from elsewhere starts no line.
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : escapeInvisible(cell))),
  );
  const widths = headings.map((h, i) => Math.max(h.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const isNumeric = headings.map(
    (_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'),
  );
  const formatLine = (row: readonly string[]) =>
    row
      .map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [formatLine(headings), formatLine(widths.map((w) => '-'.repeat(w))), ...cells.map(formatLine)].join(
    '\n',
  );
}
