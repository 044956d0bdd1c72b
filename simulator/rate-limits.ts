import type { Clock } from '../src/lib/clock.ts';
import { ERRORS_A_MINUTE, MINUTE, formatWindow, type Allowances } from './allowances.ts';
import type { Call } from './esi-call.ts';
import { emptyWindow, timeBelow, spend, tokensWithin, type FloatingWindow } from './floating-window.ts';

/** A refusal of a request. */
export interface Refusal {
  status: 420 | 429;
  seconds: number;
}

/** The parts of a call that decide which limits it counts against. */
export type LimitedCall = Pick<Call, 'caller' | 'user' | 'group'>;

/** What ESI counts per caller: floating token buckets for grouped routes, failures of a fixed minute for the others. */
export interface Limits {
  refuse(call: LimitedCall): Refusal | undefined;
  /** Counts an answer and returns its limit headers. */
  countAnswer(call: LimitedCall, status: number): Record<string, string>;
}

/** A success costs 2 tokens, a redirection or 304 costs 1, a failure of the caller 5, a refusal or failure of ESI nothing. */
export function tokenCost(status: number): number {
  if (status === 429 || status >= 500) return 0;
  if (status >= 400) return 5;
  return status >= 300 ? 1 : 2;
}

/** Whether the old error limit counts this answer. It does not count its own refusals. */
export function isError(status: number): boolean {
  return status >= 400 && status !== 420;
}

/** The failures of the current minute. */
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

/** One user's view of a bucket: what this user and others have spent. */
function createBuckets(clock: Clock, allowances: Allowances) {
  const windows = new Map<string, FloatingWindow>();
  return (user: string, group: string) => {
    const key = `${group} ${user}`;
    const own = windows.get(key) ?? emptyWindow();
    windows.set(key, own);
    const { tokens, windowSeconds } = allowances.of(group);
    const windowMs = windowSeconds * 1_000;
    const both = [own, allowances.elsewhere(group)];
    const used = () => both.reduce((sum, window) => sum + tokensWithin(window, clock.now(), windowMs), 0);
    return { own, both, tokens, windowSeconds, windowMs, used };
  };
}

/** With `enforce: false` requests are counted but never refused. */
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
