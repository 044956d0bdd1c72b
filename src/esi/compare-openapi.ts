import { z } from 'zod';
import { parseDuration, SECOND } from '../lib/duration.ts';
import { factOf, type Route, routes } from './facts/routes.ts';

/** A route as ESI's description has it, and how that differs from the shipped facts. */
export interface RouteCheck {
  readonly route: Route;
  readonly group: string | undefined;
  readonly tokens: number | undefined;
  readonly windowSeconds: number | undefined;
  readonly cacheSeconds: number | undefined;
  /** The differences, for display; undefined where there are none. */
  readonly drift: string | undefined;
  /** Whether the rate limit is stricter than the shipped one. */
  readonly stricter: boolean;
}

const operation = z
  .looseObject({ 'x-cache-age': z.unknown(), 'x-rate-limit': z.unknown() })
  .partial()
  .optional();
const description = z.object({ paths: z.record(z.string(), z.object({ get: operation, post: operation })) });
const rateLimit = z.object({
  group: z.string(),
  'max-tokens': z.int().positive(),
  'window-size': z.string().regex(/^\d{1,5}[smh]$/),
});

/** Compares a description with the shipped facts, route by route. Throws ZodError when it is not a description. */
export function checkRoutes(json: unknown): RouteCheck[] {
  const { paths } = description.parse(json);
  return (Object.keys(routes) as Route[])
    .filter((route) => !route.startsWith('/meta/'))
    .map((route) =>
      checkRoute(route, factOf(route).method === 'POST' ? paths[route]?.post : paths[route]?.get),
    );
}

function checkRoute(route: Route, found: z.infer<typeof operation>): RouteCheck {
  const none = {
    route,
    group: undefined,
    tokens: undefined,
    windowSeconds: undefined,
    cacheSeconds: undefined,
  };
  if (!found) return { ...none, drift: "the route is missing in ESI's description", stricter: false };
  const age = found['x-cache-age'];
  const cacheSeconds = typeof age === 'number' ? age : undefined;
  const { drift, stricter, ...limit } = compareLimit(route, found['x-rate-limit']);
  const drifts = [drift, compareCache(route, cacheSeconds)].filter((text) => text !== undefined);
  return { ...none, ...limit, cacheSeconds, drift: drifts.join('; ') || undefined, stricter };
}

/** Each answer says how long it is cached. A difference is reported because it changes how often a request pays. */
function compareCache(route: Route, found: number | undefined): string | undefined {
  const shipped = factOf(route).cacheSeconds;
  if (shipped === undefined || found === undefined || shipped === found) return undefined;
  return `cached for ${found} s instead of ${shipped} s`;
}

type LimitCheck = Pick<RouteCheck, 'drift' | 'stricter'> &
  Partial<Pick<RouteCheck, 'group' | 'tokens' | 'windowSeconds'>>;

function compareLimit(route: Route, json: unknown): LimitCheck {
  const shipped = factOf(route).group;
  const { data } = rateLimit.safeParse(json);
  if (!data) {
    const drift = shipped ? `the group ${shipped.name} was removed: the error limit applies` : undefined;
    return { drift, stricter: false };
  }
  const windowSeconds = parseDuration(data['window-size'])! / SECOND;
  const found = { group: data.group, tokens: data['max-tokens'], windowSeconds };
  const text = `${found.group} ${found.tokens}/${data['window-size']}`;
  if (!shipped) return { ...found, drift: `the group ${text} is new`, stricter: true };
  const isSame =
    shipped.name === found.group &&
    shipped.tokens === found.tokens &&
    shipped.windowSeconds === windowSeconds;
  if (isSame) return { ...found, drift: undefined, stricter: false };
  return {
    ...found,
    drift: `ESI has ${text} instead of ${shipped.name} ${shipped.tokens}/${shipped.windowSeconds / 60}m`,
    stricter:
      found.tokens < shipped.tokens || found.tokens / windowSeconds < shipped.tokens / shipped.windowSeconds,
  };
}
