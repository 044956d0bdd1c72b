import type { IncomingMessage } from 'node:http';

/** A request as the simulator sees it. */
export interface Call {
  /** The caller's address: limits and offences count per caller. */
  caller: string;
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
  /** Books the answer with the budget's judge. */
  booked: (status: number, refused: boolean) => void;
}

const NO_QUERY = new URLSearchParams();

/** Reads a request; its route is filled in later. */
export function readCall(request: IncomingMessage, at: number): Call {
  const path = request.url ?? '/';
  const mark = path.indexOf('?');
  const bare = mark < 0 ? path : path.slice(0, mark);
  return {
    caller: request.socket.remoteAddress ?? 'unknown',
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
    booked: () => undefined,
  };
}
