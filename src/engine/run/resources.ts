import type { AnyCollector, AnyOwnerResource, AnyResource } from '../../collectors/define.ts';
import { findCollector } from '../../collectors/index.ts';
import { DIVISIONS, parseTarget, TARGET_KINDS, type TargetKind } from '../../collectors/targets.ts';
import { ENRICHED_COLUMNS, type ReferenceKind } from '../../collectors/vocabulary.ts';
import { factOf } from '../../esi/facts/routes.ts';
import type { ResourceKey, SnapshotSpec } from '../../store/sets/snapshot-spec.ts';

/** What the store needs to know of a resource of one target. Throws AppError BAD_TARGET. */
export function snapshotSpec(resource: AnyResource, key: ResourceKey): SnapshotSpec {
  const target = resource.for === undefined ? undefined : parseTarget(key.target, resource.for);
  const targetColumns: [string, number][] = target ? [[target.column, target.id]] : [];
  if (resource.per === 'division') targetColumns.push(['division', Number(key.resource?.split('/')[1])]);
  const enrichments = resource.enrichments ?? [];
  const otherOwner = target?.kind === 'character' ? 'corporation_id' : 'character_id';
  return {
    collector: key.collector,
    target: key.target,
    resource: key.resource,
    parsedTarget: target,
    targetColumns,
    nullOwnerColumn: resource.ownerScoped ? otherOwner : undefined,
    table: resource.table,
    key: resource.key,
    columns: [
      ...Object.keys(resource.row.shape as object),
      ...enrichments.flatMap(({ kind }) => ENRICHED_COLUMNS[kind]),
    ],
    versionedAt: resource.versionedAt,
    change: resource.change,
    references: Object.entries((resource.references ?? {}) as Record<string, ReferenceKind>),
    enrichments,
    series: resource.series,
    // A list of one page is short, and the table holds what it needs where rows are only inserted or updated.
    comparesRows: resource.change.policy === 'snapshot' && factOf(resource.route).paged,
  };
}

/** Whether the route is paged backwards by id, from the newest row to one that is known. */
export const pagesBackwards = (resource: AnyResource): boolean => factOf(resource.route).fromId !== undefined;

/** A resource of a target, and its name: with the division where there is one per division. */
export interface NamedResource {
  readonly name: string;
  readonly resource: AnyOwnerResource;
}

/** The resources that are read for a target, those of the divisions of a corporation one by one. */
export function resourcesOf(resources: readonly AnyOwnerResource[], target: string): NamedResource[] {
  const kind = target.split('/')[0];
  return resources
    .filter((resource) => resource.for === kind)
    .flatMap((resource) =>
      resource.per === undefined
        ? [{ name: resource.name, resource }]
        : DIVISIONS.map((division) => ({ name: `${resource.name}/${division}`, resource })),
    );
}

/** The resource that a run reads. Throws where the collector has none of this name. */
export function findResource(key: ResourceKey): AnyResource {
  const collector = findCollector(key.collector);
  if ('procedure' in collector) throw new Error(`${key.collector} reads no pages`);
  if (!('resources' in collector)) return collector;
  const name = key.resource ?? '';
  const found = resourcesOf(collector.resources, key.target).find((one) => one.name === name);
  if (!found) throw new Error(`${key.collector} has no resource "${name}" for ${key.target}`);
  return found.resource;
}

/** The kinds of target that a collector takes. */
export function targetKinds(collector: AnyCollector): readonly TargetKind[] {
  if ('resources' in collector)
    return (Object.keys(TARGET_KINDS) as TargetKind[]).filter((kind) =>
      collector.resources.some((resource) => resource.for === kind),
    );
  return collector.for === undefined ? [] : [collector.for];
}
