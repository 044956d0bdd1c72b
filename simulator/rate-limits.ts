import type { Clock } from '../src/lib/clock.ts';
import { ERRORS_A_MINUTE, MINUTE, formatWindow, type Allowances } from './allowances.ts';
import type { Call } from './esi-call.ts';
import { emptyWindow, timeBelow, spend, tokensWithin, type FloatingWindow } from './floating-window.ts';

/** A refusal, or undefined when the request may go on. */
export interface Refusal {
  status: 420 | 429;
  seconds: number;
}

/** Whom a request is counted against. */
export type LimitedCall = Pick<Call, 'caller' | 'user' | 'group'>;

/** What ESI counts per caller: floating token buckets for grouped routes, failures of a fixed minute for the rest. */
export interface Limits {
  refuse(call: LimitedCall): Refusal | undefined;
  /** Books an answer and gives the headers that go with it. */
  countAnswer(call: LimitedCall, status: number): Record<string, string>;
}

/** Successes cost 2, redirections and 304 cost 1, failures of the caller cost 5, refusals and failures of ESI nothing. */
export function tokenCost(status: number): number {
  if (status === 429 || status >= 500) return 0;
  if (status >= 400) return 5;
  return status >= 300 ? 1 : 2;
}

/** Whether the old error limit counts this answer; its own refusals it does not. */
export function isError(status: number): boolean {
  return status >= 400 && status !== 420;
}

/** The failures of the present minute. */
function createErrorWindows(clock: Clock) {
  const windows = new Map<string, { minute: number; count: number }>();
  return (caller: string) => {
    const minute = Math.floor(clock.now() / MINUTE);
    const known = windows.get(caller);
    if (known?.minute === minute) return known;
    const fresh = { minute, count: 0 };
    windows.set(caller, fresh);
    return fresh;
  };
}

/** One user's view of one bucket: what it and the others have spent. */
function createBuckets(clock: Clock, allowances: Allowances) {
  const ledgers = new Map<string, FloatingWindow>();
  return (user: string, group: string) => {
    const key = `${group} ${user}`;
    const own = ledgers.get(key) ?? emptyWindow();
    ledgers.set(key, own);
    const { tokens, windowSeconds } = allowances.of(group);
    const windowMs = windowSeconds * 1_000;
    const both = [own, allowances.elsewhere(group)];
    const used = () => both.reduce((sum, ledger) => sum + tokensWithin(ledger, clock.now(), windowMs), 0);
    return { own, both, tokens, windowSeconds, windowMs, used };
  };
}

/** `enforce: false` counts but never refuses. */
export function createLimits(clock: Clock, allowances: Allowances, enforce: boolean): Limits {
  const bucketOf = createBuckets(clock, allowances);
  const errorsOf = createErrorWindows(clock);
  const errorsLeft = (caller: string) =>
    ERRORS_A_MINUTE - errorsOf(caller).count - allowances.errorsElsewhere();
  const secondsLeft = () => Math.ceil((MINUTE - (clock.now() % MINUTE)) / 1_000);
  return {
    refuse: ({ caller, user, group }) => {
      if (!enforce) return undefined;
      if (errorsLeft(caller) <= 0) return { status: 420, seconds: secondsLeft() };
      if (group === undefined) return undefined;
      const bucket = bucketOf(user, group);
      if (bucket.used() < bucket.tokens) return undefined;
      const free = timeBelow(bucket.both, bucket.tokens, bucket.windowMs) ?? clock.now();
      return { status: 429, seconds: Math.max(1, Math.ceil((free - clock.now()) / 1_000)) };
    },
    countAnswer: ({ caller, user, group }, status) => {
      if (group === undefined || status === 420) {
        if (isError(status)) errorsOf(caller).count++;
        return {
          'X-Esi-Error-Limit-Remain': String(Math.max(0, errorsLeft(caller))),
          'X-Esi-Error-Limit-Reset': String(secondsLeft()),
        };
      }
      const bucket = bucketOf(user, group);
      const tokens = tokenCost(status);
      spend(bucket.own, clock.now(), tokens);
      return {
        'X-Ratelimit-Group': group,
        'X-Ratelimit-Limit': `${bucket.tokens}/${formatWindow(bucket.windowSeconds)}`,
        'X-Ratelimit-Remaining': String(Math.max(0, bucket.tokens - bucket.used())),
        'X-Ratelimit-Used': String(tokens),
      };
    },
  };
}
