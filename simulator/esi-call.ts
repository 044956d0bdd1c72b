import type { IncomingMessage } from 'node:http';
import { bearerOf, type Access } from './sso/access-tokens.ts';

/** A request to the simulator. */
export interface Call {
  /** The caller's address. The error limit and offences count per caller. */
  caller: string;
  /** The owner of the token buckets: the address, or the application and character of the token. */
  user: string;
  /** The access token of the request, if it has one. */
  bearer: string | undefined;
  /** What the token allows; undefined when the SSO did not issue it. */
  access: Access | undefined;
  /** The body of a POST, complete before it is answered. */
  body: string;
  method: string;
  /** Path and query: the identity of a cached answer. */
  path: string;
  pathname: string;
  query: URLSearchParams;
  header(name: string): string | undefined;
  /** The time of arrival on the world's clock. */
  at: number;
  /** The time of arrival on the machine's clock. It identifies requests that were sent before a refusal was read. */
  arrived: number;
  /** The template of the route, for example `/markets/{region_id}/orders`. */
  route: string;
  /** The route's token bucket; undefined means the old error limit. */
  group: string | undefined;
  /** Whether the route has a limit in the game server, which no header announces. */
  hidden: boolean;
  /** Whether that limit refuses this request. */
  overHidden: boolean;
  /** Records the answer in the limit usage. */
  recordAnswer: (status: number, refused: boolean) => void;
}

/** The path of the SSO on this server. */
export const SSO_PREFIX = '/sso';

export const isSsoPath = (path: string): boolean => path === SSO_PREFIX || path.startsWith(`${SSO_PREFIX}/`);

/** Whether a call goes to ESI, by its route. Only those calls count against limits. */
export const isEsi = (call: { route: string }): boolean => call.route !== 'sde' && !isSsoPath(call.route);

/** The contract date of a call, from its header or its query. */
export const compatibilityDate = (call: Call): string | undefined =>
  call.header('x-compatibility-date') ?? call.query.get('compatibility_date') ?? undefined;

const NO_QUERY = new URLSearchParams();

/** Reads a request. The caller fills in its route later. */
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
