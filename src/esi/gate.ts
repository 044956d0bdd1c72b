import type { Route } from '../spec/routes.ts';
import { routes } from '../spec/routes.ts';
import { type Headers, numberHeader, retryAfter } from './classify.ts';

/** The old error limit counts 100 errors a minute for the whole address; with this many left, its routes rest. */
const ERRORS_IN_RESERVE = 25;

/** Why a request may not leave yet, and for how many milliseconds. */
export interface Hold {
  readonly wait: number;
  readonly why: string;
}

/** What the limits say to a request: nothing, or to wait. Fed with every answer. */
export interface Budget {
  hold(route: Route): Hold | undefined;
  /** Counts a request as sent; returns 0, or the milliseconds after which to ask again. */
  take(): number;
  account(route: Route, status: number, headers: Headers): void;
}

const ALL = '*';
const UNGROUPED = 'error-limit';

function groupOf(route: Route): string {
  const fact = routes[route];
  return 'group' in fact ? fact.group.name : UNGROUPED;
}

/** Keeps what answers said about waiting: 420 stops everything, 429 its group, a nearly spent error limit its routes. */
export function createBudget(ceiling: { take(): number }, now: () => number): Budget {
  const until = new Map<string, { time: number; why: string }>();
  const stop = (key: string, ms: number, why: string) => {
    const time = now() + ms;
    if (time > (until.get(key)?.time ?? 0)) until.set(key, { time, why });
  };
  return {
    hold(route) {
      for (const key of [ALL, groupOf(route)]) {
        const entry = until.get(key);
        if (entry && entry.time > now()) return { wait: entry.time - now(), why: entry.why };
      }
      return undefined;
    },
    take: () => ceiling.take(),
    account(route, status, headers) {
      if (status === 420)
        stop(ALL, retryAfter(headers, 'x-esi-error-limit-reset'), "ESI's error limit is used up");
      if (status === 429) {
        const group = groupOf(route);
        stop(group, retryAfter(headers, 'retry-after'), `ESI's limit for ${group} is used up`);
      }
      const left = numberHeader(headers, 'x-esi-error-limit-remain');
      if (left !== undefined && left < ERRORS_IN_RESERVE) {
        const reset = retryAfter(headers, 'x-esi-error-limit-reset');
        stop(UNGROUPED, reset, `only ${left} errors are left of ESI's hundred a minute`);
      }
    },
  };
}
