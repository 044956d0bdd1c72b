import type { AnyCollector, AnyOwnerResource, OwnerCollector } from '../../collectors/define.ts';
import { collectors } from '../../collectors/index.ts';
import type { OwnerKind } from '../../collectors/targets.ts';
import type { Enrichment, ReferenceKind } from '../../collectors/vocabulary.ts';
import { factOf, type Route } from '../../esi/facts/routes.ts';
import { AppError } from '../../lib/errors.ts';
import { escapeInvisible } from '../../lib/text.ts';

const all: readonly AnyCollector[] = collectors;

/** Names and positions of player structures, which any character that may dock there can read. */
const STRUCTURE_ROUTE: Route = '/universe/structures/{structure_id}';

/** The roles of a character, without which nothing is requested for its corporation. */
export const ROLES_ROUTE = '/characters/{character_id}/roles' satisfies Route;
export const ROLES_SCOPE = factOf(ROLES_ROUTE).scope!;

/** What a login may be used for. */
export interface LoginRights {
  readonly scopes: readonly string[];
  /** The character's roles in its corporation; undefined while they are unknown, which passes for any role. */
  readonly roles?: readonly string[] | undefined;
}

/** What a login lacks to request a route: one scope, or any of some roles. */
export type MissingRight =
  | { readonly kind: 'scope'; readonly scope: string }
  | { readonly kind: 'role'; readonly anyOf: readonly string[] };

/** What a login lacks to request a route; undefined when it may. Every decision about a login goes through it. */
export function missingRight(route: Route, { scopes, roles }: LoginRights): MissingRight | undefined {
  const fact = factOf(route);
  if (fact.scope !== undefined && !scopes.includes(fact.scope)) return { kind: 'scope', scope: fact.scope };
  if (fact.roles === undefined) return undefined;
  if (!scopes.includes(ROLES_SCOPE)) return { kind: 'scope', scope: ROLES_SCOPE };
  if (roles === undefined || fact.roles.some((role) => roles.includes(role))) return undefined;
  return { kind: 'role', anyOf: fact.roles };
}

/** `the scope esi-…` or `the role Accountant or Junior Accountant`. */
export function formatMissingRight(missing: MissingRight): string {
  if (missing.kind === 'scope') return `the scope ${missing.scope}`;
  return `the role ${missing.anyOf.map((role) => role.replaceAll('_', ' ')).join(' or ')}`;
}

const isOwnerCollector = (collector: AnyCollector): collector is OwnerCollector => 'resources' in collector;

/** The collectors of what characters and corporations have. */
export const ownerCollectors = (): OwnerCollector[] => all.filter(isOwnerCollector);

/** The collectors that need a login: those of the given names, or all. Throws AppError UNKNOWN_COLLECTOR. */
export function chooseCollectors(names?: readonly string[]): AnyCollector[] {
  const choices = all.filter((collector) => neededScopes([collector]).length > 0);
  if (names === undefined || names.length === 0) return choices;
  return [...new Set(names)].map((name) => findIn(choices, name));
}

/** The collector that can be assigned under this name. Throws AppError UNKNOWN_COLLECTOR. */
export const ownerCollector = (name: string): OwnerCollector => findIn(ownerCollectors(), nameOfType(name));

function findIn<C extends AnyCollector>(choices: readonly C[], name: string): C {
  const found = choices.find((collector) => collector.name === name);
  if (found) return found;
  const names = choices.map((collector) => collector.name).join(', ');
  throw new AppError(
    `Unknown collector "${escapeInvisible(name)}". Available for characters and corporations: ${names}.`,
    {
      code: 'UNKNOWN_COLLECTOR',
      verdict: 'fail',
    },
  );
}

/** The type of a collector in `collector_assignments`: `WALLET`. */
export const typeOf = (collector: string): string => collector.toUpperCase().replaceAll('-', '_');

/** The collector's name of such a type. */
export const nameOfType = (type: string): string => type.toLowerCase().replaceAll('_', '-');

/** The resources of a collector for one kind of owner. */
export const resourcesFor = (collector: OwnerCollector, kind: OwnerKind): AnyOwnerResource[] =>
  collector.resources.filter((resource) => resource.for === kind);

/** The routes of a collector's resources for one kind of owner. */
export const routesFor = (collector: OwnerCollector, kind: OwnerKind): Route[] =>
  resourcesFor(collector, kind).map((resource) => resource.route as Route);

/** Every route that a collector may request, those of enrichments and of unknown structures included. */
function routesOf(collector: AnyCollector): Route[] {
  if ('procedure' in collector) return collector.procedure === 'structures' ? [STRUCTURE_ROUTE] : [];
  if (!isOwnerCollector(collector)) return [collector.route as Route];
  return collector.resources.flatMap((resource): Route[] => {
    const kinds = Object.values(resource.references ?? {}) as ReferenceKind[];
    const hasLocations = kinds.includes('locations') || kinds.includes('asset-locations');
    const enrichments: readonly Enrichment[] = resource.enrichments ?? [];
    const routes: Route[] = [resource.route, ...enrichments.map((enrichment) => enrichment.route)];
    if (hasLocations) routes.push(STRUCTURE_ROUTE);
    if (resource.for === 'corporation') routes.push(ROLES_ROUTE);
    return routes;
  });
}

/** The scopes that the routes of these collectors require, in alphabetical order. */
export function neededScopes(wanted: readonly AnyCollector[]): string[] {
  const scopes = wanted.flatMap(routesOf).flatMap((route) => factOf(route).scope ?? []);
  return [...new Set(scopes)].sort();
}
