import type { AnyRouteCollector } from '../collectors/define.ts';
import { parseTarget } from '../spec/targets.ts';
import type { Lookup } from '../spec/vocabulary.ts';
import type { SetSpec } from '../store/sets.ts';

/** What the store needs to know of a collector and one of its targets. Throws AppError BAD_TARGET. */
export function setSpec(collector: AnyRouteCollector, target: string): SetSpec {
  return {
    collector: collector.name,
    target,
    targetId: collector.for === undefined ? undefined : parseTarget(target, collector.for),
    table: collector.table,
    key: collector.key,
    columns: Object.keys(collector.row.shape as object),
    seenAt: collector.seenAt,
    change: collector.change,
    lookups: Object.entries((collector.lookups ?? {}) as Record<string, Lookup>),
    series: collector.series,
  };
}
