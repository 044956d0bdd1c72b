import type { Target } from '../spec/targets.ts';
import type { Change, Lookup, Series } from '../spec/vocabulary.ts';

/** What the SQL of a set needs to know of its collector and target. */
export interface SetSpec {
  readonly collector: string;
  /** As written: `region/10000002`, or empty. */
  readonly target: string;
  readonly targetId: Target | undefined;
  readonly table: string;
  readonly key: readonly string[];
  /** Columns that come from ESI's rows. */
  readonly columns: readonly string[];
  readonly seenAt: string;
  readonly change: Change<string>;
  readonly lookups: readonly (readonly [column: string, lookup: Lookup])[];
  readonly series: Series | undefined;
}

/** The unlogged table that holds a run's rows until they are published, and then serves the pages that answer 304. */
export const stageTable = (runId: number) => `stage.r${runId}`;
