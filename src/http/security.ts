import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import type { GuessLimit } from './guess-limit.ts';
import { sendProblem } from './problem.ts';

/** Who may use the server. */
export interface AccessRules {
  /** Any of them is accepted. When there is one, everything but `/health`, the style sheet and the callback requires it. */
  readonly tokens: readonly string[];
  /** Host names of this server, without ports. Any other name in `Host` is a DNS rebinding attack. */
  readonly hosts: readonly string[];
  /** The settings that name hosts, for the message about another one. */
  readonly hostSettings: string;
  /** Other machines are served under any name, with the token; only the callback is limited to `hosts`. */
  readonly isPublic: boolean;
  /** Origin of ESI_CALLBACK_URL: a proxy may serve the page under it, and EVE redirects the page's form to it. */
  readonly origin?: string;
  /** Where the page's form redirects to: browsers allow only targets that the Content-Security-Policy names. */
  readonly ssoOrigin?: string;
}

/** Sets headers against caching, content sniffing, framing and leaking referrers. */
export function secureResponses({ ssoOrigin, origin }: AccessRules): MiddlewareHandler {
  // Chromium checks each redirect that follows the form: to EVE, and from there to the callback, which may have another
  // origin than the page (localhost and 127.0.0.1).
  const formTargets = ["'self'", ssoOrigin, origin].filter(Boolean).join(' ');
  const policy = `default-src 'none'; style-src 'self'; form-action ${formTargets}; frame-ancestors 'none'; base-uri 'none'`;
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    headers.set('cache-control', 'no-store');
    headers.set('x-content-type-options', 'nosniff');
    headers.set('content-security-policy', policy);
    // The page's form must send its origin. The callback, whose address is a secret, sets a stricter policy itself.
    if (!headers.has('referrer-policy')) headers.set('referrer-policy', 'same-origin');
  };
}

/** Paths without a token: they show nothing secret and change nothing. */
const PUBLIC_PATHS = new Set(['/health', '/style.css']);

function hostOf(c: Context): string {
  return (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase();
}

/** `[::1]:8080` and `localhost:8080` without the port. */
const withoutPort = (host: string) => host.replace(/:\d+$/, '');

/** Rejects requests under other host names, and requests that a page of another site sent. */
export function guardHostAndOrigin(rules: AccessRules, callbacks: readonly string[]): MiddlewareHandler {
  const names = new Set(rules.hosts.map((host) => host.toLowerCase()));
  return async (c, next) => {
    const host = hostOf(c);
    const anyName = rules.isPublic && !callbacks.includes(c.req.path);
    if (!anyName && !names.has(withoutPort(host))) {
      const detail = `Unknown host "${withoutPort(host)}". Use localhost, or the host of ${rules.hostSettings}.`;
      return sendProblem(c, { status: 421, code: 'FOREIGN_HOST', detail });
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && origin !== rules.origin && !isOrigin(origin, host)) {
      const detail = 'Requests from pages of other sites are rejected.';
      return sendProblem(c, { status: 403, code: 'FOREIGN_ORIGIN', detail });
    }
    await next();
  };
}

function isOrigin(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false; // `null`, as from a file or a sandbox
  const url = new URL(origin);
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.host === host;
}

/** Refuses other credentials than a bearer token, such as the page's password. */
function onlyBearer(): never {
  const headers = { 'www-authenticate': 'Bearer realm=""' };
  throw new HTTPException(401, { res: new Response(null, { status: 401, headers }) });
}

/** Responds to an address that has sent too many wrong tokens. Its token is not looked at. */
function refuseGuesses(c: Context, retryAfter: number): Response {
  c.header('retry-after', String(Math.ceil(retryAfter / 1_000)));
  return sendProblem(c, {
    status: 429,
    code: 'TOO_MANY_GUESSES',
    detail: 'Too many wrong tokens from this address. Try again in a minute.',
  });
}

/** The address of the other end of the connection. Headers of proxies are not believed: anybody can send them. */
const addressOf = (c: Context): string =>
  (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress ?? 'unknown';

const hashOf = (text: string) => createHash('sha256').update(text).digest();

/** What needs no token, and where browsers prompt for it. */
export interface AuthPaths {
  readonly isPublic: (path: string) => boolean;
  readonly isPage: (path: string) => boolean;
}

/** The paths of the page and the API. */
export const httpAuthPaths = (callbacks: readonly string[]): AuthPaths => ({
  isPublic: (path) => PUBLIC_PATHS.has(path) || callbacks.includes(path),
  isPage: (path) => !/^\/api(\/|$)/.test(path),
});

/**
 * Requires one of the tokens on all but the public paths: as bearer token, and on pages also as password of any user, which
 * is what browsers can prompt for. Who sends 20 wrong ones in a minute has to wait.
 */
export function requireAuth(
  tokens: readonly string[],
  paths: AuthPaths,
  guesses: GuessLimit,
): MiddlewareHandler {
  const hashes = tokens.map(hashOf);
  // Takes a time that reveals nothing of a token, and happens at once, so that no other guess comes between.
  const verify = (text: string, c: Context): boolean => {
    const given = hashOf(text);
    const isRight = hashes.filter((hash) => timingSafeEqual(hash, given)).length > 0;
    if (!isRight) guesses.record(addressOf(c));
    return isRight;
  };
  const bearer = bearerAuth({ verifyToken: verify });
  const basic = basicAuth({
    realm: 'eve-data-collector: the password is API_TOKEN',
    verifyUser: (_, password, c) => verify(password, c),
  });
  return (c, next) => {
    if (paths.isPublic(c.req.path)) return next();
    const isPage = paths.isPage(c.req.path);
    const credentials = c.req.header('authorization');
    const hasBearer = /^bearer /i.test(credentials ?? '');
    if (credentials !== undefined && !isPage && !hasBearer) return onlyBearer();
    const retryAfter = credentials === undefined ? undefined : guesses.retryAfter(addressOf(c));
    if (retryAfter !== undefined) return Promise.resolve(refuseGuesses(c, retryAfter));
    return isPage && !hasBearer ? basic(c, next) : bearer(c, next);
  };
}
