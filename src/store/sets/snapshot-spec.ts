import type { Target } from '../../collectors/targets.ts';
import type { Change, Enrichment, ReferenceKind, Series } from '../../collectors/vocabulary.ts';

/** What a run reads and a published snapshot belongs to. */
export interface ResourceKey {
  readonly collector: string;
  /** As written: `region/10000002`, or empty. */
  readonly target: string;
  /** `journal`, `journal/3`; absent where a collector reads one route. */
  readonly resource?: string | undefined;
}

/** What the SQL of a snapshot depends on: its target, and the declaration of its collector. */
export interface SnapshotSpec extends ResourceKey {
  readonly parsedTarget: Target | undefined;
  /** Columns that the path fills and the answer lacks: the target's id, the division. */
  readonly targetColumns: readonly (readonly [column: string, value: number])[];
  /** The owner column that is null in these rows, where the table holds rows of both kinds of owner. */
  readonly nullOwnerColumn: string | undefined;
  readonly table: string;
  readonly key: readonly string[];
  /** Columns that come from ESI's rows, those of enrichments last. */
  readonly columns: readonly string[];
  readonly versionedAt: string;
  readonly change: Change<string>;
  readonly references: readonly (readonly [column: string, kind: ReferenceKind])[];
  readonly enrichments: readonly Enrichment[];
  readonly series: Series | undefined;
  /** The staged rows outlive the publication, because later pages that answer 304 refer to them. */
  readonly keepsStage: boolean;
}

/** The unlogged table of a run's rows until they are published, and of the rows that pages answering 304 refer to. */
export const stageTable = (runId: number): string => `stage.r${runId}`;

/** The columns that may change while the key stays. */
export const dataColumns = (spec: SnapshotSpec): string[] =>
  spec.columns.filter((column) => !spec.key.includes(column));

/** The condition that a row belongs to the target, e.g. `b."region_id" = 10000002`. The ids are checked integers. */
export function isOfTarget(spec: SnapshotSpec, alias: string): string {
  const conditions = spec.targetColumns.map(([column, value]) => `${alias}."${column}" = ${value}`);
  if (spec.nullOwnerColumn !== undefined) conditions.push(`${alias}."${spec.nullOwnerColumn}" IS NULL`);
  return conditions.join(' AND ') || 'true';
}
