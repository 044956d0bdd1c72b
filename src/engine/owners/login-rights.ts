import type { AnyCollector, AnyOwnerResource, OwnerCollector } from '../../collectors/define.ts';
import { collectors } from '../../collectors/index.ts';
import { AppError } from '../../lib/errors.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import type { OwnerKind } from '../../collectors/targets.ts';

const all: readonly AnyCollector[] = collectors;

/** Names and places of player structures: whoever may dock there may ask. */
const STRUCTURE: Route = '/universe/structures/{structure_id}';

/** Without the roles of a character nothing is asked for its corporation. */
const ROLES: Route = '/characters/{character_id}/roles';

const isOwners = (collector: AnyCollector): collector is OwnerCollector => 'resources' in collector;

/** The collectors of what characters and corporations have. */
export const ownerCollectors = (): OwnerCollector[] => all.filter(isOwners);

/**
 * The collectors that need a login: those of the given names, or all. Throws AppError UNKNOWN_COLLECTOR with the names
 * there are.
 */
export function chooseCollectors(names?: readonly string[]): AnyCollector[] {
  const open = all.filter((collector) => neededScopes([collector]).length > 0);
  if (names === undefined || names.length === 0) return open;
  return [...new Set(names)].map((name) => {
    const found = open.find((collector) => collector.name === name);
    if (found) return found;
    throw unknownCollector(name, open);
  });
}

/** The collector that can be assigned under this name. Throws AppError UNKNOWN_COLLECTOR with the names there are. */
export function ownerCollector(name: string): OwnerCollector {
  const found = ownerCollectors().find((collector) => collector.name === nameOfType(name));
  if (found) return found;
  throw unknownCollector(name, ownerCollectors());
}

function unknownCollector(name: string, there: readonly AnyCollector[]): AppError {
  const names = there.map((collector) => collector.name).join(', ');
  return new AppError(
    `No collector "${name}" collects for characters or corporations. There are: ${names}.`,
    {
      code: 'UNKNOWN_COLLECTOR',
      verdict: 'fail',
    },
  );
}

/** How a collector is called in `collector_assignments`: `WALLET`. */
export const typeOf = (collector: string): string => collector.toUpperCase().replaceAll('-', '_');

/** The collector's name from such a type. */
export const nameOfType = (type: string): string => type.toLowerCase().replaceAll('_', '-');

/** The parts of a collector that are read for one kind of owner. */
export const resourcesFor = (collector: OwnerCollector, kind: OwnerKind): AnyOwnerResource[] =>
  collector.resources.filter((part) => part.for === kind);

function routesOf(collector: AnyCollector): Route[] {
  if ('procedure' in collector) return collector.procedure === 'structures' ? [STRUCTURE] : [];
  if (!isOwners(collector)) return [collector.route as Route];
  return collector.resources.flatMap((part: AnyOwnerResource): Route[] => {
    const lookups = Object.values(part.references ?? {});
    return [
      part.route as Route,
      ...(part.enrichments ?? []).map((enrichment) => enrichment.route),
      ...(lookups.includes('locations') || lookups.includes('asset-locations') ? [STRUCTURE] : []),
      ...(part.for === 'corporation' ? [ROLES] : []),
    ];
  });
}

/** Every scope that these collectors' routes ask for, in the order of the alphabet. */
export function neededScopes(wanted: readonly AnyCollector[]): string[] {
  const scopes = wanted.flatMap(routesOf).flatMap((route) => factOf(route).scope ?? []);
  return [...new Set(scopes)].sort();
}

/** What a character has to open routes with. */
export interface Rights {
  readonly scopes: readonly string[];
  /** Its roles in its corporation. */
  readonly roles: readonly string[];
}

/** Whether a character may ask a route: it granted the scope, and has one of the roles where roles are asked. */
export function opens(route: Route, { scopes, roles }: Rights): boolean {
  const fact = factOf(route);
  if (fact.scope !== undefined && !scopes.includes(fact.scope)) return false;
  return fact.roles === undefined || fact.roles.some((r) => roles.includes(r));
}

/** What a character lacks for a route, in plain words; undefined when it may ask. */
export function lacks(route: Route, rights: Rights): string | undefined {
  if (opens(route, rights)) return undefined;
  const { scope, roles = [] } = factOf(route);
  if (scope !== undefined && !rights.scopes.includes(scope)) return `the scope ${scope}`;
  return `the role ${roles.map((role) => role.replaceAll('_', ' ')).join(' or ')}`;
}
