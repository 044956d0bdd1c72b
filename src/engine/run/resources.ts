import type { AnyCollector, AnyOwnerResource, AnyResource } from '../../collectors/define.ts';
import { findCollector } from '../../collectors/index.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { DIVISIONS, parseTarget, TARGET_KINDS, type TargetKind } from '../../collectors/targets.ts';
import { ENRICHED_COLUMNS, type ReferenceKind } from '../../collectors/vocabulary.ts';
import type { ResourceKey, SnapshotSpec } from '../../store/sets/snapshot-spec.ts';

/** What the store needs to know of a set and one of its targets. Throws AppError BAD_TARGET. */
export function snapshotSpec(set: AnyResource, key: ResourceKey): SnapshotSpec {
  const targetId = set.for === undefined ? undefined : parseTarget(key.target, set.for);
  const own: [string, number][] = targetId ? [[targetId.column, targetId.id]] : [];
  if (set.per === 'division') own.push(['division', Number(key.part?.split('/')[1])]);
  const details = set.details ?? [];
  const { collector, target, part } = key;
  return {
    ...{ collector, target, part, targetId, own, details },
    absentOwner: set.shared
      ? targetId?.kind === 'character'
        ? 'corporation_id'
        : 'character_id'
      : undefined,
    table: set.table,
    key: set.key,
    columns: [...Object.keys(set.row.shape as object), ...details.flatMap((detail) => ENRICHED_COLUMNS[detail.fills])],
    seenAt: set.seenAt,
    change: set.change,
    lookups: Object.entries((set.lookups ?? {}) as Record<string, ReferenceKind>),
    series: set.series,
    // Of a set of one page a 304 says all; where rows are only ever added or replaced they stand in the table.
    keepsStage: set.change.policy === 'snapshot' && factOf(set.route).paged,
  };
}

/** Whether the route's list is read newest first, by ids, until a row comes that is known. */
export const goesBackwards = (set: AnyResource) => factOf(set.route).fromId !== undefined;

/** A part of a collector for one target: what it reads, and what its set is called. */
export interface TargetResource {
  readonly set: AnyOwnerResource;
  readonly part: string;
}

/** What a collector reads for an owner, the divisions of a corporation one by one. */
export function resourcesOf(parts: readonly AnyOwnerResource[], target: string): TargetResource[] {
  const kind = target.split('/')[0];
  return parts
    .filter((set) => set.for === kind)
    .flatMap((set) =>
      set.per === undefined
        ? [{ set, part: set.part }]
        : DIVISIONS.map((division) => ({ set, part: `${set.part}/${division}` })),
    );
}

/** The set that a run reads. Throws where the collector reads none. */
export function findResource(key: ResourceKey): AnyResource {
  const collector = findCollector(key.collector);
  if ('procedure' in collector) throw new Error(`${key.collector} reads no pages`);
  if (!('parts' in collector)) return collector;
  const found = resourcesOf(collector.parts, key.target).find(({ part }) => part === (key.part ?? ''));
  if (!found) throw new Error(`${key.collector} has no part ${key.part ?? ''} for ${key.target}`);
  return found.set;
}

/** Kinds of target that a collector takes. */
export function targetKinds(collector: AnyCollector): readonly TargetKind[] {
  if ('parts' in collector)
    return (Object.keys(TARGET_KINDS) as TargetKind[]).filter((kind) =>
      collector.parts.some((part) => part.for === kind),
    );
  return collector.for === undefined ? [] : [collector.for];
}
