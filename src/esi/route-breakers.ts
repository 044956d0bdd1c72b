import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { CircuitBreaker, CircuitOpenError } from './circuit-breaker.ts';
import { isServerFailure } from './classify-status.ts';
import { EsiError } from './esi-error.ts';
import type { Route } from './facts/routes.ts';

/** Ten failures in a row are no coincidence. */
const MAX_FAILURES = 10;

/** Twelve ids that ESI fails for may be twelve bad ids. Thirty in a row, three attempts each, are no coincidence. */
const MAX_FAILURES_OF_IDS = 90;

/** Half a minute lets a server recover. */
const RESET_AFTER = 30_000;

/** One route may fail alone, and two that share a part of the game server; with three it is ESI. */
const MAX_OPEN_ROUTES = 3;

/** Whether each request is about one id, whose fault a failure may be. */
const isOfIds = (route: Route) => route.endsWith('}') || route === '/markets/{region_id}/history';

/**
 * A circuit breaker per route, so that a route that fails stops no other. All requests are stopped while `/status` or
 * several routes fail; routes of single ids do not count for that. An open route is tested every half a minute.
 */
export class RouteBreakers {
  private readonly breakers = new Map<Route, CircuitBreaker>();
  private readonly failures = new Map<Route, string>();
  private readonly clock: Clock;
  private readonly log: Log;

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.clock = clock;
    this.log = log;
  }

  /** The result of `call`. Throws EsiError `wait` without calling while the breaker of the route or of all is open. */
  async execute<T>(route: Route, call: () => Promise<T>): Promise<T> {
    const breaker = this.breakers.get(route) ?? this.create(route);
    // An open route is tested although others are open: one of them must be the first to close.
    const stopping = this.stopsAll();
    if (!breaker.isOpen && stopping.length > 0) throw this.openError(stopping);
    try {
      return await breaker.execute(call);
    } catch (error) {
      throw error instanceof CircuitOpenError ? this.openError([route], true) : error;
    }
  }

  private create(route: Route): CircuitBreaker {
    const breaker = new CircuitBreaker({
      clock: this.clock,
      maxFailures: isOfIds(route) ? MAX_FAILURES_OF_IDS : MAX_FAILURES,
      resetAfter: RESET_AFTER,
      isFailure: isServerFailure,
      onOpen: (failure) => {
        this.failures.set(route, describeError(failure));
        const stopped = this.stopsAll().length > 0 ? 'all requests to ESI are' : 'its requests are';
        this.log.warn({ route, error: describeError(failure) }, `ESI fails for ${route}; ${stopped} stopped`);
      },
      onClose: () => this.log.info({ route }, `ESI responds for ${route} again`),
    });
    this.breakers.set(route, breaker);
    return breaker;
  }

  /** The routes whose failures stop all requests, if they do. */
  private stopsAll(): Route[] {
    const open = [...this.breakers]
      .filter(([route, breaker]) => breaker.retryAfter > 0 && !isOfIds(route))
      .map(([route]) => route);
    return open.includes('/status') || open.length >= MAX_OPEN_ROUTES ? open : [];
  }

  private openError(routes: readonly Route[], isOfRoute = false): EsiError {
    const retryAfter = Math.max(1_000, ...routes.map((route) => this.breakers.get(route)!.retryAfter));
    return new EsiError(
      `ESI fails for ${routes.join(', ')} (${this.failures.get(routes[0]!)}). ` +
        `The next request is sent in ${Math.ceil(retryAfter / 1_000)} s.`,
      { code: 'ESI_BREAKER_OPEN', verdict: 'wait', retryAfter, isOfRoute },
    );
  }
}
