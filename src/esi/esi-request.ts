import { COMPATIBILITY_DATE, type Route, fillPath } from './facts/routes.ts';
import type { ExactInt } from '../lib/exact-int.ts';
import type { Freshness } from './freshness.ts';

/** The login that authorizes a request. Its token stays in the closure. */
export interface EsiAuth {
  /** The user of its rate limits: `application:character`. */
  readonly user: string;
  /** Returns a valid access token. Throws AppError when there is none. */
  token(): Promise<string>;
  /** Replaces the token after ESI rejected it (401). */
  renew(): Promise<void>;
}

export interface EsiRequest {
  readonly route: Route;
  readonly params?: Readonly<Record<string, number | string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes the request conditional; the answer may then be a 304 without a body. */
  readonly etag?: string | undefined;
  /** 1 (interactive) to 5 (backfill). Default 3. */
  readonly priority?: number;
  /** Whose token is sent and whose rate limits apply; undefined: those of the IP address. */
  readonly auth?: EsiAuth | undefined;
  /** Whether all processes share the answer until it expires. For small public answers that nothing else keeps. */
  readonly shared?: boolean;
  /** The body of a POST route. */
  readonly ids?: readonly ExactInt[];
  readonly signal?: AbortSignal | undefined;
  /** Called before each attempt and every few seconds while the request waits. */
  readonly heartbeat?: (() => void) | undefined;
}

export interface EsiResponse extends Freshness {
  readonly status: 200 | 304;
  /** Path and query, to which an ETag belongs. */
  readonly url: string;
  /** Undefined with 304, and where ESI answered 204, without a body. */
  readonly json: unknown;
  readonly etag: string | undefined;
  /** Requests sent for this answer. */
  readonly requests: number;
}

/** Path and query of a request, to which an ETag belongs. */
export function requestUrl(request: Pick<EsiRequest, 'route' | 'params' | 'query'>): string {
  const query = new URLSearchParams(request.query).toString();
  return fillPath(request.route, request.params ?? {}) + (query === '' ? '' : `?${query}`);
}

/** Method, headers and body of a request. Throws AppError when there is no token. */
export async function messageOf(
  { etag, auth, ids }: EsiRequest,
  { userAgent, compatibilityDate = COMPATIBILITY_DATE }: { userAgent: string; compatibilityDate?: string },
) {
  const headers = {
    'user-agent': userAgent,
    'x-compatibility-date': compatibilityDate,
    accept: 'application/json',
    'accept-encoding': 'gzip',
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(auth ? { authorization: `Bearer ${await auth.token()}` } : {}),
  };
  if (ids === undefined) return { headers };
  const body = `[${ids.join(',')}]`; // large ids are texts, which JSON.stringify would quote
  return { method: 'POST' as const, body, headers: { ...headers, 'content-type': 'application/json' } };
}
