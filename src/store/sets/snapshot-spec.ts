import type { Target } from '../../collectors/targets.ts';
import type { Change, Enrichment, ReferenceKind, Series } from '../../collectors/vocabulary.ts';

/** Whose set: collector and target, and the part where a collector reads several routes of one target. */
export interface ResourceKey {
  readonly collector: string;
  /** As written: `region/10000002`, or empty. */
  readonly target: string;
  /** `journal`, `journal/3`; absent where a collector reads one route. */
  readonly part?: string | undefined;
}

/** What the SQL of a set needs to know of its collector and target. */
export interface SnapshotSpec extends ResourceKey {
  readonly targetId: Target | undefined;
  /** Columns that the path fills, not the answer: the target's id, the division. */
  readonly own: readonly (readonly [column: string, value: number])[];
  /** The column of the other kind of owner, null in this set's rows: the table holds those of both. */
  readonly absentOwner: string | undefined;
  readonly table: string;
  readonly key: readonly string[];
  /** Columns that come from ESI's rows, those that other routes fill last. */
  readonly columns: readonly string[];
  readonly seenAt: string;
  readonly change: Change<string>;
  readonly lookups: readonly (readonly [column: string, lookup: ReferenceKind])[];
  readonly details: readonly Enrichment[];
  readonly series: Series | undefined;
  /** Its stage outlives the publication: later pages may answer 304, and stand for the staged rows. */
  readonly keepsStage: boolean;
}

/** The unlogged table that holds a run's rows until they are published, and then serves the pages that answer 304. */
export const stageTable = (runId: number) => `stage.r${runId}`;
