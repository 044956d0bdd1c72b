/**
 * What ESI's description says of the routes we ask: paging and rate group (compatibility date below). Routes without
 * a group count against the old error limit of 100 errors a minute.
 */
export interface RouteFact {
  /** Answers in numbered pages with the total in `X-Pages`. */
  readonly paged: boolean;
  /** How long ESI caches an answer, in seconds; absent where it expires daily at 11:05 UTC or is not cached. */
  readonly cacheSeconds?: number;
  /** Token bucket: tokens per floating window; a 2xx costs 2, a 3xx 1, a 4xx 5, a 429 or 5xx nothing. */
  readonly group?: { readonly name: string; readonly tokens: number; readonly windowSeconds: number };
  /** A limit that the game server holds and no header announces: requests a minute from one address. */
  readonly perMinute?: number;
}

/** The newest date known when this was built; ESI keeps a date for at least a year. */
export const COMPATIBILITY_DATE = '2026-08-18';

/** Every published window is 15 minutes long. */
const WINDOW = 900;

export const routes = {
  '/status': {
    paged: false,
    cacheSeconds: 30,
    group: { name: 'status', tokens: 600, windowSeconds: WINDOW },
  },
  '/markets/{region_id}/orders': {
    paged: true,
    cacheSeconds: 300,
    group: { name: 'market-order', tokens: 12_000, windowSeconds: WINDOW },
  },
  // CCP reopened this route in May 2023 with 300 requests a minute per address, and answers 429 or 500 beyond.
  '/markets/{region_id}/history': { paged: false, perMinute: 300 },
  '/markets/{region_id}/types': { paged: true, cacheSeconds: 600 },
  '/markets/prices': { paged: false, cacheSeconds: 3_600 },
  '/industry/systems': {
    paged: false,
    cacheSeconds: 3_600,
    group: { name: 'industry', tokens: 150, windowSeconds: WINDOW },
  },
  '/industry/facilities': {
    paged: false,
    cacheSeconds: 3_600,
    group: { name: 'industry', tokens: 150, windowSeconds: WINDOW },
  },
  '/meta/openapi.json': { paged: false, group: { name: 'meta', tokens: 150, windowSeconds: WINDOW } },
  '/markets/groups': { paged: false },
  '/markets/groups/{market_group_id}': { paged: false },
  '/universe/categories': { paged: false },
  '/universe/categories/{category_id}': { paged: false },
  '/universe/groups': { paged: true },
  '/universe/groups/{group_id}': { paged: false },
  '/universe/types': { paged: true },
  '/universe/types/{type_id}': { paged: false },
  '/universe/regions': { paged: false },
  '/universe/regions/{region_id}': { paged: false },
  '/universe/constellations': { paged: false },
  '/universe/constellations/{constellation_id}': { paged: false },
  '/universe/systems': { paged: false },
  '/universe/systems/{system_id}': { paged: false },
  '/universe/stations/{station_id}': { paged: false },
  '/universe/schematics/{schematic_id}': { paged: false, cacheSeconds: 3_600 },
} as const satisfies Record<string, RouteFact>;

export type Route = keyof typeof routes;

/** The `{names}` in a route's path. */
export type PathParam<R extends string> = R extends `${string}{${infer P}}${infer Rest}`
  ? P | PathParam<Rest>
  : never;

/** `/markets/{region_id}/orders` and `{ region_id: 10000002 }` to `/markets/10000002/orders`. */
export function fillPath(route: Route, params: Readonly<Record<string, number | string>>): string {
  return route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(params[name]));
}
