import { compatibilityDate } from './esi-call.ts';
import { periodicCacheTimes, DAY_MS, DAILY_UPDATE_MS } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import { pageCount, pageRows } from './order-book.ts';
import {
  errorContent,
  pageNotFound,
  requestedPage,
  type Content,
  type Resolve,
  type RouteContext,
} from './route-content.ts';
import type { Kind } from './esi-rows.ts';
import type { World } from './world.ts';

export const STATUS_CACHE_MS = 30_000;
export const META_CACHE_MS = 600_000;
export const SCHEMATIC_CACHE_MS = 3_600_000;

/** The error text for an unknown id of each kind. */
const UNKNOWN: Record<Kind, string> = {
  types: 'Type not found!',
  groups: 'Group not found',
  categories: 'Category not found',
  marketGroups: 'Market group not found!',
  regions: 'Region not found!',
  constellations: 'Constellation not found!',
  systems: 'System not found!',
  stations: 'Station not found!',
  schematics: 'Schematic not found',
};

/** The packed static answers of a world, discarded whenever its static data changes. */
const caches = new WeakMap<World, { version: number; bodies: Map<string, Body> }>();

/** A packed answer, made once for each state of the static data. */
export function cached(world: World, key: string, make: () => unknown): Body {
  let cache = caches.get(world);
  if (cache?.version !== world.staticVersion) {
    cache = { version: world.staticVersion, bodies: new Map() };
    caches.set(world, cache);
  }
  const body = cache.bodies.get(key) ?? packJson(make());
  cache.bodies.set(key, body);
  return body;
}

function staticContent(context: RouteContext, body: Body, length = DAY_MS): Content {
  const times = periodicCacheTimes(context.now, length, length === DAY_MS ? DAILY_UPDATE_MS : 0);
  const version = `${context.world.staticVersion}.${times.lastModified.getTime()}`;
  return { status: 200, body, ...times, version };
}

/** Serves a list of ids, in pages or whole. */
export function idList(kind: Kind, paged: boolean): Resolve {
  return (context, call) => {
    const { world } = context;
    const ids = [...world.universe[kind].keys()].filter((id) => !world.isForgotten(kind, id));
    if (!paged)
      return staticContent(
        context,
        cached(world, kind, () => ids),
      );
    const page = requestedPage(call);
    const pages = pageCount(ids);
    if (page === undefined) return errorContent(400, 'page: not a positive number');
    if (page > pages) return pageNotFound(pages, String(world.staticVersion));
    return {
      ...staticContent(
        context,
        cached(world, `${kind}?${page}`, () => pageRows(ids, page)),
      ),
      pages,
    };
  };
}

/** Serves one row of static data. */
export function detail(kind: Kind): Resolve {
  return (context, _call, id) => {
    const { world } = context;
    const row = world.isForgotten(kind, id) ? undefined : world.universe[kind].get(id);
    if (!row) return errorContent(404, UNKNOWN[kind], String(world.staticVersion));
    if (!('schematic_name' in row))
      return staticContent(
        context,
        cached(world, `${kind}/${id}`, () => row),
      );
    const { cycle_time, schematic_name } = row; // ESI returns no more of it
    const body = cached(world, `${kind}/${id}`, () => ({ cycle_time, schematic_name }));
    return staticContent(context, body, SCHEMATIC_CACHE_MS);
  };
}

/** `/status` */
export const status: Resolve = ({ activeFaults, now }, call) => {
  const times = periodicCacheTimes(now, STATUS_CACHE_MS);
  const minute = Math.floor(now / 60_000);
  const vip = activeFaults.take(['vip'], call) ? { vip: true } : {};
  const start = new Date(Math.floor((now - DAILY_UPDATE_MS) / DAY_MS) * DAY_MS + DAILY_UPDATE_MS - 180_000); // the server starts three minutes earlier
  const body = packJson({
    players: 20_000 + ((minute * 37) % 5_000), // an evening's number, changing every minute
    server_version: '3528119',
    start_time: `${start.toISOString().slice(0, 19)}Z`,
    ...vip,
  });
  return { status: 200, body, ...times, version: `status.${times.lastModified.getTime()}` };
};

/** The contract dates of the API, newest first. */
const DATES = [
  '2026-08-18',
  '2026-07-21',
  '2026-06-09',
  '2025-12-16',
  '2025-11-06',
  '2025-09-30',
  '2020-01-01',
];

/** `/meta/compatibility-dates` */
export const compatibilityDates: Resolve = ({ world, now }) => {
  const times = periodicCacheTimes(now, META_CACHE_MS);
  const body = cached(world, 'dates', () => ({ compatibility_dates: DATES }));
  return { status: 200, body, ...times, version: `dates.${times.lastModified.getTime()}` };
};

/** The first contract date with this route. */
const STATUS_SINCE = '2025-11-06';

/** `/meta/status`: every route works. */
export function metaStatus(routes: () => readonly { template: string; method?: 'POST' }[]): Resolve {
  return ({ world }, call) => {
    const date = compatibilityDate(call) ?? '';
    if (date < STATUS_SINCE) return errorContent(404, 'Not found');
    const body = cached(world, 'meta-status', () => ({
      routes: routes().map(({ method = 'GET', template }) => ({ method, path: template, status: 'OK' })),
    }));
    return { status: 200, body, version: `meta.${call.arrived}` }; // not cached, so never too early
  };
}
