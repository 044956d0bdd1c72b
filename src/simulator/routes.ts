import type { Call } from './call.ts';
import type { Resolve } from './content.ts';
import { marketHistory, marketTypes, TYPES_CACHE_MS } from './history-routes.ts';
import { INDUSTRY_CACHE_MS } from './industry.ts';
import { industryFacilities, industrySystems } from './industry-routes.ts';
import { orders, prices } from './market-routes.ts';
import { openApi, type DescribedRoute } from './openapi.ts';
import { PRICES_CACHE_MS } from './prices.ts';
import {
  compatibilityDates,
  detail,
  idList,
  META_CACHE_MS,
  metaStatus,
  SCHEMATIC_CACHE_MS,
  status,
  STATUS_CACHE_MS,
  structure,
} from './universe-routes.ts';

/** A route of ESI. */
export interface Route extends DescribedRoute {
  /** Its token bucket; none means the old error limit. */
  group?: string;
  /** It has a limit in the game server, which no header announces. */
  hidden?: true;
  resolve: Resolve;
}

const seconds = (ms: number): number => ms / 1_000;

const ROUTES: readonly Route[] = [
  {
    template: '/markets/{region_id}/orders',
    group: 'market-order',
    cache: (world) => world.cacheSeconds,
    resolve: orders,
  },
  { template: '/markets/{region_id}/history', daily: true, hidden: true, resolve: marketHistory },
  { template: '/markets/{region_id}/types', cache: seconds(TYPES_CACHE_MS), resolve: marketTypes },
  { template: '/markets/prices', cache: seconds(PRICES_CACHE_MS), resolve: prices },
  { template: '/status', group: 'status', cache: seconds(STATUS_CACHE_MS), resolve: status },
  {
    template: '/industry/systems',
    group: 'industry',
    cache: seconds(INDUSTRY_CACHE_MS),
    resolve: industrySystems,
  },
  {
    template: '/industry/facilities',
    group: 'industry',
    cache: seconds(INDUSTRY_CACHE_MS),
    resolve: industryFacilities,
  },
  { template: '/universe/types', daily: true, resolve: idList('types', true) },
  { template: '/universe/types/{type_id}', daily: true, resolve: detail('types') },
  { template: '/universe/groups', daily: true, resolve: idList('groups', true) },
  { template: '/universe/groups/{group_id}', daily: true, resolve: detail('groups') },
  { template: '/universe/categories', daily: true, resolve: idList('categories', false) },
  { template: '/universe/categories/{category_id}', daily: true, resolve: detail('categories') },
  { template: '/universe/systems', daily: true, resolve: idList('systems', false) },
  { template: '/universe/systems/{system_id}', daily: true, resolve: detail('systems') },
  { template: '/universe/regions', daily: true, resolve: idList('regions', false) },
  { template: '/universe/regions/{region_id}', daily: true, resolve: detail('regions') },
  { template: '/universe/constellations', daily: true, resolve: idList('constellations', false) },
  { template: '/universe/constellations/{constellation_id}', daily: true, resolve: detail('constellations') },
  { template: '/universe/stations/{station_id}', daily: true, resolve: detail('stations') },
  {
    template: '/universe/schematics/{schematic_id}',
    cache: seconds(SCHEMATIC_CACHE_MS),
    resolve: detail('schematics'),
  },
  { template: '/universe/structures/{structure_id}', resolve: structure },
  { template: '/markets/groups', daily: true, resolve: idList('marketGroups', false) },
  { template: '/markets/groups/{market_group_id}', daily: true, resolve: detail('marketGroups') },
  {
    template: '/meta/compatibility-dates',
    group: 'meta',
    cache: seconds(META_CACHE_MS),
    resolve: compatibilityDates,
  },
  {
    template: '/meta/openapi.json',
    group: 'meta',
    cache: seconds(META_CACHE_MS),
    resolve: openApi(() => ROUTES),
  },
  {
    template: '/meta/status',
    group: 'meta',
    resolve: metaStatus(() => ROUTES.map((route) => route.template)),
  },
];

/** Paths with their number replaced, to look routes up by. */
const BY_SHAPE = new Map(ROUTES.map((route) => [route.template.replace(/\{\w+\}/, '#'), route]));
const NUMBER = /\/(\d{1,16})(?=\/|$)/;

/** Finds the route of a call, and the id in its path. */
export function findRoute(call: Call): { route: Route; id: number } | undefined {
  const number = NUMBER.exec(call.pathname);
  const route = BY_SHAPE.get(number ? call.pathname.replace(NUMBER, '/#') : call.pathname);
  return route && { route, id: Number(number?.[1] ?? 0) };
}
