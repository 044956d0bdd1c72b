import type { AnyResource } from '../../src/collectors/define.ts';
import { collectors } from '../../src/collectors/index.ts';

/** A resource and its name: `market-orders`, `assets-character`, `wallet-corporation-journal`. */
export type NamedResource = readonly [name: string, resource: AnyResource];

/**
 * Every resource that a collector declares. Collectors that run a procedure (universe, market-history, structures)
 * declare none; their tests are in test/engine.
 */
export const namedResources: readonly NamedResource[] = collectors.flatMap((collector): NamedResource[] => {
  if ('procedure' in collector) return [];
  if (!('resources' in collector)) return [[collector.name, collector]];
  return collector.resources.map((resource) => {
    const name = [collector.name, resource.for, resource.name].filter((word) => word !== '').join('-');
    return [name, resource];
  });
});
