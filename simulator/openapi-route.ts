import { compatibilityDate } from './esi-call.ts';
import { formatWindow, type Bucket } from './allowances.ts';
import { periodicCacheTimes } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import type { Resolve } from './route-content.ts';
import { META_CACHE_MS } from './universe-routes.ts';
import type { World } from './world.ts';

/** What the description states about a route. */
export interface DescribedRoute {
  template: string;
  group?: string;
  /** In seconds. A route without it expires at 11:05 or is not cached. */
  cache?: number | ((world: World) => number);
  daily?: boolean;
  /** Default: GET. */
  method?: 'POST';
  /** The scope that the token needs. A route without it is public. */
  scope?: string;
  /** The character needs one of these roles in its corporation. */
  roles?: readonly string[];
}

function rateLimit(group: string, { tokens, windowSeconds }: Bucket) {
  return { group, 'max-tokens': tokens, 'window-size': formatWindow(windowSeconds) };
}

function operation(world: World, route: DescribedRoute): Record<string, unknown> {
  const { template, group, cache, daily, scope, roles } = route;
  const age = typeof cache === 'function' ? cache(world) : cache;
  return {
    description: `Simulated.${daily ? '\n\nThis route expires daily at 11:05' : ''}`,
    parameters: [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      in: 'path',
      name,
      required: true,
      schema: { format: 'int64', type: 'integer' },
    })),
    responses: { 200: { description: 'OK' }, default: { description: 'Error' } },
    'x-compatibility-date': '2020-01-01', // the date of every route's version, see baseHeaders
    ...(age === undefined
      ? {}
      : { 'x-cache-age': age, 'x-client-cache-ttl': age, 'x-server-cache-ttl': age }),
    ...(scope === undefined ? {} : { security: [{ OAuth2: [scope] }] }),
    ...(roles === undefined ? {} : { 'x-required-roles': roles }),
    ...(group === undefined ? {} : { 'x-rate-limit': rateLimit(group, world.allowances.of(group)) }),
  };
}

/** The packed description of each world, rebuilt when a bucket changes. */
const made = new WeakMap<World, { key: string; body: Body }>();

/** `/meta/openapi.json`: describes this simulator in the format of ESI's own description. */
export function openApi(routes: () => readonly DescribedRoute[]): Resolve {
  return ({ world, now }, call) => {
    const date = compatibilityDate(call) ?? '2020-01-01';
    const key = `${date}.${world.allowances.version}`;
    let known = made.get(world);
    if (known?.key !== key) {
      const paths: Record<string, Record<string, unknown>> = {};
      for (const route of routes()) {
        const method = route.method === 'POST' ? 'post' : 'get';
        paths[route.template] = { ...paths[route.template], [method]: operation(world, route) };
      }
      const info = { title: 'EVE Stable Infrastructure (ESI), simulated', version: date };
      known = { key, body: packJson({ openapi: '3.1.0', info, paths }) };
      made.set(world, known);
    }
    const times = periodicCacheTimes(now, META_CACHE_MS);
    return {
      status: 200,
      body: known.body,
      ...times,
      version: `openapi.${key}.${times.lastModified.getTime()}`,
    };
  };
}
