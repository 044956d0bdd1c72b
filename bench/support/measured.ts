import type { Bound, Line } from './report.ts';

/** A part of a bench. */
export interface Measured {
  readonly lines: Line[];
  readonly bounds: Bound[];
  readonly raw: object;
}
