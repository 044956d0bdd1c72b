import type { Context, MiddlewareHandler } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { bearerAuth } from 'hono/bearer-auth';
import { timingSafeEqual } from 'hono/utils/buffer';
import { sendProblem } from './problem.ts';

/** Who may ask. */
export interface AccessRules {
  /** When set, everything but `/health`, the style sheet and the callback asks for it. */
  readonly token: string | undefined;
  /** Names that this server is called by, without ports: whatever else is in `Host` is an attack by DNS (rebinding). */
  readonly hosts: readonly string[];
  /** Served to other machines, under any name: the token guards it, and the callback alone keeps to its names. */
  readonly isPublic: boolean;
  /** Origin of ESI_CALLBACK_URL: the page may be reached under it through a proxy. */
  readonly origin: string;
  /** Where the button of the page leads in the end: a browser follows a form's redirect to named places only. */
  readonly ssoOrigin: string;
}

/** Nothing of this server is kept, guessed at, framed, or told to others. */
export function secureResponses({ ssoOrigin }: AccessRules): MiddlewareHandler {
  const policy = `default-src 'none'; style-src 'self'; form-action 'self' ${ssoOrigin}; frame-ancestors 'none'; base-uri 'none'`;
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    headers.set('cache-control', 'no-store');
    headers.set('x-content-type-options', 'nosniff');
    headers.set('content-security-policy', policy);
    // Within the page a form has to say where it comes from; the callback, whose address is a secret, says nothing.
    if (!headers.has('referrer-policy')) headers.set('referrer-policy', 'same-origin');
  };
}

/** Nothing secret, and nothing that changes anything: they ask for no token. */
const OPEN = new Set(['/health', '/style.css']);

function hostOf(c: Context): string {
  return (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase();
}

/** `[::1]:8080` and `localhost:8080` without the port. */
const nameOf = (host: string) => host.replace(/:\d+$/, '');

/** Refuses requests under foreign names, and those that a page of another site made a browser send. */
export function guardHostAndOrigin(rules: AccessRules, callbacks: readonly string[]): MiddlewareHandler {
  const names = new Set(rules.hosts.map((host) => host.toLowerCase()));
  return async (c, next) => {
    const host = hostOf(c);
    const anyName = rules.isPublic && !callbacks.includes(c.req.path);
    if (!anyName && !names.has(nameOf(host))) {
      const detail = `This server is not called "${nameOf(host)}". Ask it under localhost, HTTP_HOST, or the host of ESI_CALLBACK_URL.`;
      return sendProblem(c, { status: 421, code: 'FOREIGN_HOST', detail });
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && origin !== rules.origin && !isOrigin(origin, host)) {
      const detail = 'This request was sent by a page of another site, and is not carried out.';
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

/**
 * Asks for the token everywhere but on open paths: as bearer; on the page also as password of any user, which is what a
 * browser can ask for. Both are compared in constant time.
 */
export function requireAuth(token: string, callbacks: readonly string[]): MiddlewareHandler {
  const bearer = bearerAuth({ token });
  const basic = basicAuth({
    realm: 'eve-data-collector: the password is API_TOKEN',
    verifyUser: (_, password) => timingSafeEqual(token, password),
  });
  return (c, next) => {
    if (OPEN.has(c.req.path) || callbacks.includes(c.req.path)) return next();
    const isPage = !c.req.path.startsWith('/api/');
    const hasBearer = /^bearer /i.test(c.req.header('authorization') ?? '');
    return isPage && !hasBearer ? basic(c, next) : bearer(c, next);
  };
}
