/** Rows that are served in sections. An array is one. */
export interface RowSet<T> {
  readonly length: number;
  slice(from: number, to: number): T[];
  /** Whether another set has the same rows in this section. A set without it cannot tell. */
  same?(other: unknown, from: number, to: number): boolean;
}
