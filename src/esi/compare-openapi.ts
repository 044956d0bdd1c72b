import { z } from 'zod';
import { factOf, type Route, type RouteFact, routes } from './facts/routes.ts';

/** What ESI's description says of one of our routes, and how that differs from what we shipped with. */
export interface RouteCheck {
  readonly route: Route;
  readonly group: string | undefined;
  readonly tokens: number | undefined;
  readonly windowSeconds: number | undefined;
  readonly cacheSeconds: number | undefined;
  /** In words; undefined where nothing differs. */
  readonly drift: string | undefined;
  /** Stricter than shipped. */
  readonly stricter: boolean;
}

const operation = z.record(z.string(), z.unknown()).optional();
const description = z.object({ paths: z.record(z.string(), z.object({ get: operation, post: operation })) });
const rateLimit = z.object({
  group: z.string(),
  'max-tokens': z.int().positive(),
  'window-size': z.string(),
});

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600 };

function seconds(text: string): number | undefined {
  const match = /^(\d{1,5})([smh])$/.exec(text);
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined;
}

/** Compares a description with the shipped facts, route by route. Throws ZodError when it is no description at all. */
export function checkRoutes(json: unknown): RouteCheck[] {
  const { paths } = description.parse(json);
  return (Object.keys(routes) as Route[])
    .filter((route) => !route.startsWith('/meta/'))
    .map((route) => {
      const found = factOf(route).method === 'POST' ? paths[route]?.post : paths[route]?.get;
      return withCacheDrift(checkRoute(route, found));
    });
}

/** The cache's time is ESI's to say with each answer; a difference is told, since it changes how often asking pays. */
function withCacheDrift(check: RouteCheck): RouteCheck {
  const shipped = (routes[check.route] as RouteFact).cacheSeconds;
  const { cacheSeconds: found, drift } = check;
  if (shipped === undefined || found === undefined || shipped === found) return check;
  const words = `cached for ${found} s instead of ${shipped} s`;
  return { ...check, drift: drift === undefined ? words : `${drift}; ${words}` };
}

function checkRoute(route: Route, operation: Record<string, unknown> | undefined): RouteCheck {
  const shipped = (routes[route] as RouteFact).group;
  const none = {
    route,
    group: undefined,
    tokens: undefined,
    windowSeconds: undefined,
    cacheSeconds: undefined,
  };
  if (!operation) return { ...none, drift: "the route is missing in ESI's description", stricter: false };
  const age = operation['x-cache-age'];
  const cacheSeconds = typeof age === 'number' ? age : undefined;
  const parsed = rateLimit.safeParse(operation['x-rate-limit']);
  const windowSeconds = parsed.success ? seconds(parsed.data['window-size']) : undefined;
  if (!parsed.success || windowSeconds === undefined) {
    const drift = shipped ? `the bucket ${shipped.name} is gone: the error limit counts` : undefined;
    return { ...none, cacheSeconds, drift, stricter: false };
  }
  const found = { group: parsed.data.group, tokens: parsed.data['max-tokens'], windowSeconds };
  const words = `${found.group} ${found.tokens}/${parsed.data['window-size']}`;
  if (!shipped) return { route, ...found, cacheSeconds, drift: `a bucket is new: ${words}`, stricter: true };
  const same =
    shipped.name === found.group &&
    shipped.tokens === found.tokens &&
    shipped.windowSeconds === windowSeconds;
  const stricter =
    found.tokens < shipped.tokens || found.tokens / windowSeconds < shipped.tokens / shipped.windowSeconds;
  const drift = same
    ? undefined
    : `shipped ${shipped.name} ${shipped.tokens}/${shipped.windowSeconds / 60}m, ESI says ${words}`;
  return { route, ...found, cacheSeconds, drift, stricter };
}
