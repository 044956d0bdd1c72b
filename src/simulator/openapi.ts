import { windowText, type Bucket } from './allowances.ts';
import { beat } from './beat.ts';
import { packJson, type Body } from './body.ts';
import type { Resolve } from './content.ts';
import { META_CACHE_MS } from './universe-routes.ts';
import type { World } from './world.ts';

/** What the description tells of a route. */
export interface DescribedRoute {
  template: string;
  group?: string;
  /** In seconds; none means that it expires at 11:05, or that it is not cached. */
  cache?: number | ((world: World) => number);
  daily?: boolean;
}

function rateLimit(group: string, { tokens, windowSeconds }: Bucket) {
  return { group, 'max-tokens': tokens, 'window-size': windowText(windowSeconds) };
}

function operation(world: World, { template, group, cache, daily }: DescribedRoute): Record<string, unknown> {
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
    ...(group === undefined ? {} : { 'x-rate-limit': rateLimit(group, world.allowances.of(group)) }),
  };
}

/** The packed description of each world, made anew when a bucket changes. */
const made = new WeakMap<World, { key: string; body: Body }>();

/** `/meta/openapi.json`: what this simulator does, in the words of ESI's own description. */
export function openApi(routes: () => readonly DescribedRoute[]): Resolve {
  return ({ world, now }, call) => {
    const date = call.header('x-compatibility-date') ?? call.query.get('compatibility_date') ?? '2020-01-01';
    const key = `${date}.${world.allowances.version}`;
    let known = made.get(world);
    if (known?.key !== key) {
      const paths = Object.fromEntries(
        routes().map((route) => [route.template, { get: operation(world, route) }]),
      );
      const info = { title: 'EVE Stable Infrastructure (ESI), simulated', version: date };
      known = { key, body: packJson({ openapi: '3.1.0', info, paths }) };
      made.set(world, known);
    }
    const times = beat(now, META_CACHE_MS);
    return {
      status: 200,
      body: known.body,
      ...times,
      version: `openapi.${key}.${times.lastModified.getTime()}`,
    };
  };
}
