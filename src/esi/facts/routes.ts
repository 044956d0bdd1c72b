/**
 * Facts about a route from ESI's OpenAPI description, at the compatibility date below. Routes without a group count
 * against the old error limit of 100 errors a minute.
 */
export interface RouteFact {
  /** Answers in numbered pages with the total in `X-Pages`. */
  readonly paged: boolean;
  /** Seconds for which ESI caches an answer; absent where it expires daily at 11:05 UTC or is not cached. */
  readonly cacheSeconds?: number;
  /** Token bucket: tokens per sliding window. A 2xx costs 2, a 3xx 1, a 4xx 5, a 429 or 5xx nothing. */
  readonly group?: { readonly name: string; readonly tokens: number; readonly windowSeconds: number };
  /** Requests a minute per IP address: a limit inside the game server that no header announces. */
  readonly perMinute?: number;
  /** Default GET. A POST carries up to 1000 ids and is never cached. */
  readonly method?: 'POST';
  /** Pages go backwards by id: the field of a row that `from_id` refers to. The row with that id is returned again. */
  readonly fromId?: string;
  /** The scope that a token needs. */
  readonly scope?: string;
  /** Roles in the corporation, of which the character needs one. */
  readonly roles?: readonly string[];
}

/** The newest date known when this was built; ESI keeps a date for at least a year. */
export const COMPATIBILITY_DATE = '2026-08-18';

/** Every published window is 15 minutes long. */
const WINDOW = 900;

const group = (name: string, tokens: number) => ({ name, tokens, windowSeconds: WINDOW });

/** Groups of the owners' routes. Each character of each application has its own buckets. */
const CHAR_WALLET = { group: group('char-wallet', 150), scope: 'esi-wallet.read_character_wallet.v1' };
const CORP_WALLET = {
  group: group('corp-wallet', 300),
  scope: 'esi-wallet.read_corporation_wallets.v1',
  roles: ['Accountant', 'Junior_Accountant'],
};
const CHAR_ASSETS = { group: group('char-asset', 1_800), scope: 'esi-assets.read_assets.v1' };
const CORP_ASSETS = {
  group: group('corp-asset', 1_800),
  scope: 'esi-assets.read_corporation_assets.v1',
  roles: ['Director'],
};
const CHAR_ORDERS = { scope: 'esi-markets.read_character_orders.v1' };
const CORP_ORDERS = { scope: 'esi-markets.read_corporation_orders.v1', roles: ['Accountant', 'Trader'] };

export const routes = {
  '/status': {
    paged: false,
    cacheSeconds: 30,
    group: group('status', 600),
  },
  '/markets/{region_id}/orders': {
    paged: true,
    cacheSeconds: 300,
    group: group('market-order', 12_000),
  },
  // CCP reopened this route in May 2023 with 300 requests a minute per IP address, and answers 429 or 500 beyond.
  '/markets/{region_id}/history': { paged: false, perMinute: 300 },
  '/markets/{region_id}/types': { paged: true, cacheSeconds: 600 },
  '/markets/prices': { paged: false, cacheSeconds: 3_600 },
  '/industry/systems': {
    paged: false,
    cacheSeconds: 3_600,
    group: group('industry', 150),
  },
  '/industry/facilities': {
    paged: false,
    cacheSeconds: 3_600,
    group: group('industry', 150),
  },
  '/meta/openapi.json': { paged: false, group: group('meta', 150) },
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
  '/universe/structures/{structure_id}': {
    paged: false,
    cacheSeconds: 3_600,
    scope: 'esi-universe.read_structures.v1',
  },
  '/characters/{character_id}': { paged: false, cacheSeconds: 86_400 },
  '/corporations/{corporation_id}': { paged: false, cacheSeconds: 3_600 },
  '/characters/affiliation': { paged: false, method: 'POST' },
  '/characters/{character_id}/roles': {
    paged: false,
    cacheSeconds: 3_600,
    group: group('char-detail', 600),
    scope: 'esi-characters.read_corporation_roles.v1',
  },
  '/characters/{character_id}/wallet': { paged: false, cacheSeconds: 120, ...CHAR_WALLET },
  '/characters/{character_id}/wallet/journal': { paged: true, cacheSeconds: 3_600, ...CHAR_WALLET },
  '/characters/{character_id}/wallet/transactions': {
    paged: false,
    fromId: 'transaction_id',
    cacheSeconds: 3_600,
    ...CHAR_WALLET,
  },
  '/corporations/{corporation_id}/wallets': { paged: false, cacheSeconds: 300, ...CORP_WALLET },
  '/corporations/{corporation_id}/wallets/{division}/journal': {
    paged: true,
    cacheSeconds: 3_600,
    ...CORP_WALLET,
  },
  '/corporations/{corporation_id}/wallets/{division}/transactions': {
    paged: false,
    fromId: 'transaction_id',
    cacheSeconds: 3_600,
    ...CORP_WALLET,
  },
  '/corporations/{corporation_id}/divisions': {
    paged: false,
    cacheSeconds: 3_600,
    group: CORP_WALLET.group,
    scope: 'esi-corporations.read_divisions.v1',
    roles: ['Director'],
  },
  '/characters/{character_id}/assets': { paged: true, cacheSeconds: 3_600, ...CHAR_ASSETS },
  '/characters/{character_id}/assets/names': { paged: false, method: 'POST', ...CHAR_ASSETS },
  '/characters/{character_id}/assets/locations': { paged: false, method: 'POST', ...CHAR_ASSETS },
  '/corporations/{corporation_id}/assets': { paged: true, cacheSeconds: 3_600, ...CORP_ASSETS },
  '/corporations/{corporation_id}/assets/names': { paged: false, method: 'POST', ...CORP_ASSETS },
  '/corporations/{corporation_id}/assets/locations': { paged: false, method: 'POST', ...CORP_ASSETS },
  '/characters/{character_id}/orders': { paged: false, cacheSeconds: 1_200, ...CHAR_ORDERS },
  '/characters/{character_id}/orders/history': { paged: true, cacheSeconds: 3_600, ...CHAR_ORDERS },
  '/corporations/{corporation_id}/orders': { paged: true, cacheSeconds: 1_200, ...CORP_ORDERS },
  '/corporations/{corporation_id}/orders/history': { paged: true, cacheSeconds: 3_600, ...CORP_ORDERS },
  '/characters/{character_id}/industry/jobs': {
    paged: false,
    cacheSeconds: 300,
    group: group('char-industry', 600),
    scope: 'esi-industry.read_character_jobs.v1',
  },
  '/corporations/{corporation_id}/industry/jobs': {
    paged: true,
    cacheSeconds: 300,
    group: group('corp-industry', 600),
    scope: 'esi-industry.read_corporation_jobs.v1',
    roles: ['Factory_Manager'],
  },
} as const satisfies Record<string, RouteFact>;

export type Route = keyof typeof routes;

/** The `{names}` in a route's path. */
export type PathParam<R extends string> = R extends `${string}{${infer P}}${infer Rest}`
  ? P | PathParam<Rest>
  : never;

/** The facts about a route, in their common type. */
export const factOf = (route: Route): RouteFact => routes[route];

/** Fills the parameters into a path: `/markets/{region_id}/orders` becomes `/markets/10000002/orders`. */
export function fillPath(route: Route, params: Readonly<Record<string, number | string>>): string {
  return route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(params[name]));
}
