import type { Call } from './call.ts';
import type { Resolve } from './content.ts';
import { orders, prices } from './market-routes.ts';
import { compatibilityDates, detail, idList, metaStatus, status, structure } from './universe-routes.ts';

/** A route of ESI. */
export interface Route {
  template: string;
  /** Its token bucket; none means the old error limit. */
  group?: string;
  resolve: Resolve;
}

const ROUTES: readonly Route[] = [
  { template: '/markets/{region_id}/orders', group: 'market-order', resolve: orders },
  { template: '/markets/prices', resolve: prices },
  { template: '/status', group: 'status', resolve: status },
  { template: '/universe/types', resolve: idList('types', true) },
  { template: '/universe/types/{type_id}', resolve: detail('types') },
  { template: '/universe/groups', resolve: idList('groups', true) },
  { template: '/universe/groups/{group_id}', resolve: detail('groups') },
  { template: '/universe/categories', resolve: idList('categories', false) },
  { template: '/universe/categories/{category_id}', resolve: detail('categories') },
  { template: '/universe/systems', resolve: idList('systems', false) },
  { template: '/universe/systems/{system_id}', resolve: detail('systems') },
  { template: '/universe/regions', resolve: idList('regions', false) },
  { template: '/universe/regions/{region_id}', resolve: detail('regions') },
  { template: '/universe/constellations', resolve: idList('constellations', false) },
  { template: '/universe/constellations/{constellation_id}', resolve: detail('constellations') },
  { template: '/universe/stations/{station_id}', resolve: detail('stations') },
  { template: '/universe/schematics/{schematic_id}', resolve: detail('schematics') },
  { template: '/universe/structures/{structure_id}', resolve: structure },
  { template: '/markets/groups', resolve: idList('marketGroups', false) },
  { template: '/markets/groups/{market_group_id}', resolve: detail('marketGroups') },
  { template: '/meta/compatibility-dates', group: 'meta', resolve: compatibilityDates },
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
