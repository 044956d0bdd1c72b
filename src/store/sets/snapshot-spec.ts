import type { Target } from '../../collectors/targets.ts';
import {
  type Change,
  ENRICHED_COLUMNS,
  type Enrichment,
  type OpenList,
  type ReferenceKind,
  type Series,
} from '../../collectors/vocabulary.ts';

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
  /**
   * Rows are compared with the published ones as they are read, and only those that differ are staged. The keys of each
   * page are kept, which also stand for the rows of pages that answer 304.
   */
  readonly comparesRows: boolean;
}

/** The unlogged table of a run's rows until they are published. */
export const stageTable = (runId: number): string => `stage.r${runId}`;

/** The columns that may change while the key stays. */
export const dataColumns = (spec: SnapshotSpec): string[] =>
  spec.columns.filter((column) => !spec.key.includes(column));

/** The columns besides the key that the rows of the route itself fill. */
export function rowColumns(spec: SnapshotSpec): string[] {
  const enriched = new Set(spec.enrichments.flatMap(({ kind }) => ENRICHED_COLUMNS[kind]));
  return dataColumns(spec).filter((column) => !enriched.has(column));
}

/** The condition that a row belongs to the target, e.g. `b."region_id" = 10000002`. The ids are checked integers. */
export function isOfTarget(spec: SnapshotSpec, alias: string): string {
  const conditions = spec.targetColumns.map(([column, value]) => `${alias}."${column}" = ${value}`);
  if (spec.nullOwnerColumn !== undefined) conditions.push(`${alias}."${spec.nullOwnerColumn}" IS NULL`);
  return conditions.join(' AND ') || 'true';
}

/** The condition that a row is one of the target's published snapshot. Rows that left an open list stay in the table. */
export function isPublished(spec: SnapshotSpec, alias: string): string {
  const { change } = spec;
  if (change.policy !== 'snapshot' || change.openList === undefined) return isOfTarget(spec, alias);
  return `${isOfTarget(spec, alias)} AND ${isListed(change.openList, alias)}`;
}

/** The condition that a row stands on its open list. */
export const isListed = ({ state }: OpenList, alias: string): string =>
  `${alias}.state = '${state}' AND ${alias}.left_at IS NULL`;
