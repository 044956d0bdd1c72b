import { COMPATIBILITY_DATE, type Route, fillPath } from './facts/routes.ts';
import type { Freshness } from './freshness.ts';

/** Whose token goes with a request. What is secret in it stays in the closure. */
export interface EsiAuth {
  /** The bucket's user: `application:character`. */
  readonly user: string;
  /** An access token that is good for the moment. Throws AppError when there is none to be had. */
  token(): Promise<string>;
  /** ESI did not take the token (401): the next one is another. */
  renew(): Promise<void>;
}

export interface EsiRequest {
  readonly route: Route;
  readonly params?: Readonly<Record<string, number | string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes the request conditional; the answer may then be a 304 without a body. */
  readonly etag?: string | undefined;
  /** 1 (a person waits) to 5 (backfill); 3 when nothing is said. */
  readonly priority?: number;
  /** Whose token is sent, and whose bucket it draws on; the address's where nothing is said. */
  readonly auth?: EsiAuth | undefined;
  /** Ids: the body of a POST route. */
  readonly ids?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** Called before each try and every few seconds of waiting: a sign of life for whoever watches. */
  readonly heartbeat?: (() => void) | undefined;
}

export interface EsiResponse extends Freshness {
  readonly status: 200 | 304;
  /** Path and query: what an ETag belongs to. */
  readonly url: string;
  /** Undefined with 304. */
  readonly json: unknown;
  readonly etag: string | undefined;
  /** How many requests it took. */
  readonly requests: number;
}

/** Path and query of a request: what an ETag belongs to. */
export function requestUrl(request: Pick<EsiRequest, 'route' | 'params' | 'query'>): string {
  const query = new URLSearchParams(request.query).toString();
  return fillPath(request.route, request.params ?? {}) + (query === '' ? '' : `?${query}`);
}

/** Method, headers and body as ESI wants them. Throws AppError when there is no token to be had. */
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
  const body = JSON.stringify(ids);
  return { method: 'POST' as const, body, headers: { ...headers, 'content-type': 'application/json' } };
}
