/** Rows to be served; an array is one. */
export interface RowSet<T> {
  readonly length: number;
  slice(from: number, to: number): T[];
  /** Whether another set has the same rows there; without it nobody knows. */
  same?(other: unknown, from: number, to: number): boolean;
}
