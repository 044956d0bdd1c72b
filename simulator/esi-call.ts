import type { IncomingMessage } from 'node:http';
import { bearerOf, type Access } from './sso/access-tokens.ts';

/** A request as the simulator sees it. */
export interface Call {
  /** The caller's address: the error limit and offences count per caller. */
  caller: string;
  /** Whose token buckets are used: the address, or the application and character of the token. */
  user: string;
  /** The token that came along, if one did. */
  bearer: string | undefined;
  /** What that token is worth; none when it is not one of ours. */
  access: Access | undefined;
  /** Of a POST; read before it is answered. */
  body: string;
  method: string;
  /** With the query: the identity of a cached answer. */
  path: string;
  pathname: string;
  query: URLSearchParams;
  header(name: string): string | undefined;
  /** When it arrived, by the world's clock. */
  at: number;
  /** When it arrived, by the machine's: tells requests that were already under way. */
  arrived: number;
  /** The route's template, e.g. `/markets/{region_id}/orders`. */
  route: string;
  /** The route's token bucket; none means the old error limit. */
  group: string | undefined;
  /** The route has a limit in the game server, which no header announces. */
  hidden: boolean;
  /** That limit refuses this request. */
  overHidden: boolean;
  /** Books the answer with the budget's offences. */
  recordAnswer: (status: number, refused: boolean) => void;
}

/** Where the SSO lives on this server. */
export const SSO_PREFIX = '/sso';

export const isSsoPath = (path: string): boolean => path === SSO_PREFIX || path.startsWith(`${SSO_PREFIX}/`);

/** Whether a call is one of ESI's, by its route: only those count against limits. */
export const isEsi = (call: { route: string }): boolean => call.route !== 'sde' && !isSsoPath(call.route);

/** The contract date of a call, from its header or its query. */
export const compatibilityDate = (call: Call): string | undefined =>
  call.header('x-compatibility-date') ?? call.query.get('compatibility_date') ?? undefined;

const NO_QUERY = new URLSearchParams();

/** Reads a request; its route is filled in later. */
export function readCall(request: IncomingMessage, at: number): Call {
  const path = request.url ?? '/';
  const mark = path.indexOf('?');
  const bare = mark < 0 ? path : path.slice(0, mark);
  const caller = request.socket.remoteAddress ?? 'unknown';
  return {
    caller,
    user: caller,
    bearer: bearerOf(request.headers.authorization),
    access: undefined,
    body: '',
    method: request.method ?? 'GET',
    path,
    pathname: bare.length > 1 && bare.endsWith('/') ? bare.slice(0, -1) : bare,
    query: mark < 0 ? NO_QUERY : new URLSearchParams(path.slice(mark + 1)),
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    at,
    arrived: performance.now(),
    route: 'unknown',
    group: undefined,
    hidden: false,
    overHidden: false,
    recordAnswer: () => undefined,
  };
}
