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
  /** When set, everything but `/health`, the style sheet and the callback requires it. */
  readonly token: string | undefined;
  /** Host names of this server, without ports. Any other name in `Host` is a DNS rebinding attack. */
  readonly hosts: readonly string[];
  /** Other machines are served under any name, with the token; only the callback is limited to `hosts`. */
  readonly isPublic: boolean;
  /** Origin of ESI_CALLBACK_URL: a proxy may serve the page under it. */
  readonly origin: string;
  /** Where the page's form redirects to: browsers allow only targets that the Content-Security-Policy names. */
  readonly ssoOrigin: string;
}

/** Sets headers against caching, content sniffing, framing and leaking referrers. */
export function secureResponses({ ssoOrigin }: AccessRules): MiddlewareHandler {
  const policy = `default-src 'none'; style-src 'self'; form-action 'self' ${ssoOrigin}; frame-ancestors 'none'; base-uri 'none'`;
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
      const detail = `Unknown host "${withoutPort(host)}". Use localhost, HTTP_HOST, or the host of ESI_CALLBACK_URL.`;
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

/** Compares in a time that reveals nothing of the token, and at once, so that no other guess comes between. */
function isToken(token: string, text: string): boolean {
  const [expected, given] = [token, text].map((each) => createHash('sha256').update(each).digest());
  return timingSafeEqual(expected!, given!);
}

/**
 * Requires the token on all but the public paths: as bearer token, and on the page also as password of any user, which is
 * what browsers can prompt for. Who sends 20 wrong ones in a minute has to wait.
 */
export function requireAuth(
  token: string,
  callbacks: readonly string[],
  guesses: GuessLimit,
): MiddlewareHandler {
  const verify = (text: string, c: Context): boolean => {
    const isRight = isToken(token, text);
    if (!isRight) guesses.record(addressOf(c));
    return isRight;
  };
  const bearer = bearerAuth({ verifyToken: verify });
  const basic = basicAuth({
    realm: 'eve-data-collector: the password is API_TOKEN',
    verifyUser: (_, password, c) => verify(password, c),
  });
  return (c, next) => {
    if (PUBLIC_PATHS.has(c.req.path) || callbacks.includes(c.req.path)) return next();
    const isPage = !/^\/api(\/|$)/.test(c.req.path);
    const credentials = c.req.header('authorization');
    const hasBearer = /^bearer /i.test(credentials ?? '');
    if (credentials !== undefined && !isPage && !hasBearer) return onlyBearer();
    const retryAfter = credentials === undefined ? undefined : guesses.retryAfter(addressOf(c));
    if (retryAfter !== undefined) return Promise.resolve(refuseGuesses(c, retryAfter));
    return isPage && !hasBearer ? basic(c, next) : bearer(c, next);
  };
}
