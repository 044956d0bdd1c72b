import type { Call } from './esi-call.ts';
import { marketHistory, marketTypes, TYPES_CACHE_MS } from './market-history-routes.ts';
import { INDUSTRY_CACHE_MS } from './industry.ts';
import { industryFacilities, industrySystems } from './industry-routes.ts';
import { orders, prices } from './market-routes.ts';
import { openApi } from './openapi-route.ts';
import { OWNER_ROUTES } from './owners/owner-routes.ts';
import { PRICES_CACHE_MS } from './price-list.ts';
import type { Route } from './route.ts';
import {
  compatibilityDates,
  detail,
  idList,
  META_CACHE_MS,
  metaStatus,
  SCHEMATIC_CACHE_MS,
  status,
  STATUS_CACHE_MS,
} from './universe-routes.ts';

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
    resolve: metaStatus(() => ROUTES),
  },
  ...OWNER_ROUTES,
];

const shapeOf = (template: string): string => template.replaceAll(/\{\w+\}/g, '#');

/** The routes by the shape of their path, with `#` in the place of numbers. A path may take GET, POST, or both. */
const BY_SHAPE = new Map<string, Route[]>();
for (const route of ROUTES) {
  const shape = shapeOf(route.template);
  BY_SHAPE.set(shape, [...(BY_SHAPE.get(shape) ?? []), route]);
}
const NUMBER = /\/(\d{1,16})(?=\/|$)/g;

/** A route and the numbers in the path. */
export interface FoundRoute {
  route: Route;
  /** Whether the route takes the method of the call. */
  allowed: boolean;
  id: number;
  part: number;
}

export function findRoute(call: Call): FoundRoute | undefined {
  const numbers: number[] = [];
  const shape = call.pathname.replaceAll(NUMBER, (_whole, digits: string) => {
    numbers.push(Number(digits));
    return '/#';
  });
  const routes = BY_SHAPE.get(shape);
  const method = call.method === 'HEAD' ? 'GET' : call.method;
  const fit = routes?.find((route) => (route.method ?? 'GET') === method);
  const route = fit ?? routes?.[0];
  return route && { route, allowed: fit !== undefined, id: numbers[0] ?? 0, part: numbers[1] ?? 0 };
}
