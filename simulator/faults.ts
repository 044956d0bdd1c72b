import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isEsi } from './esi-call.ts';
import type { Order, Price } from './esi-rows.ts';

/** Where and how often a fault strikes. */
export interface FaultOptions {
  /**
   * A route's template or a part of the path; `sde` for the static data, `/sso` and what follows for the SSO. Default:
   * every ESI route, and only those.
   */
  route?: string;
  /** Default: until `clear()`. Counts the answers that were spoilt (for `tear`: the reads). */
  times?: number;
}

export interface StatusFaultOptions extends FaultOptions {
  /** Seconds, or text as it is. */
  retryAfter?: number | string;
  /** With the limit headers (default) or, as game-server refusals come, without. */
  headers?: boolean;
}

/** A row as it is served, or null to leave it out. The result may be anything: that is the point. */
export type RowChange<Row = Order | Price> = (row: Row) => unknown;

/** What the limit headers look like. */
export type LimitHeaders = 'missing' | 'wrong' | 'negative' | 'huge';

/** What can go wrong, switchable at any time. */
export interface Faults {
  status(code: number, options?: StatusFaultOptions): void;
  /** 200 with a web page. */
  html(options?: FaultOptions): void;
  /** 200 with plain text. */
  plainText(options?: FaultOptions): void;
  /** Announces the whole content, sends half of it and drops the connection. */
  truncate(options?: FaultOptions): void;
  /** Drops the connection before an answer. */
  reset(options?: FaultOptions): void;
  /** Sends the headers of the whole content and drops the connection before a byte of it. */
  resetMidway(options?: FaultOptions): void;
  /** Never answers until the simulator closes. */
  hang(options?: FaultOptions): void;
  /** An answer of this many bytes, its length not announced. */
  oversize(bytes: number, options?: FaultOptions): void;
  badJson(options?: FaultOptions): void;
  /** 200 with this text. */
  rawBody(text: string, options?: FaultOptions): void;
  /** `[]` as this page of a set; default every page. Of a set that is read by `from_id`, page 2 is every later one. */
  emptyPage(page?: number, options?: FaultOptions): void;
  /** The set turns between page 1 and the next page of each read. */
  tear(options?: FaultOptions): void;
  /** The first row of page 1 stands again in the last row of the last page. */
  duplicateOrder(options?: FaultOptions): void;
  /** The same by another name: it strikes sets of any rows. */
  duplicateRow(options?: FaultOptions): void;
  /** A middle page lacks one row. */
  dropOrder(options?: FaultOptions): void;
  /** The same by another name: it strikes sets of any rows. */
  dropRow(options?: FaultOptions): void;
  /** X-Pages says `pages` from page 2 on. */
  wrongPages(pages: number, options?: FaultOptions): void;
  /** The set answers, whole and consistent, without rows. */
  emptySet(options?: FaultOptions): void;
  /** The set answers, whole and consistent, with this share of its rows. */
  collapse(share: number, options?: FaultOptions): void;
  /** Changes the rows of orders, prices and owners as they are served; an answer that is no list counts as one row. */
  mutateRows<Row = Order | Price>(change: RowChange<Row>, options?: FaultOptions): void;
  /** The request takes its full effect, and the connection drops before the answer. */
  loseAnswer(options?: FaultOptions): void;
  /** Everything answers 503, or drops the connection. */
  down(how?: '503' | 'reset', options?: FaultOptions): void;
  /** /status says that only staff may log in. */
  vip(options?: FaultOptions): void;
  /** Shifts the Date, Last-Modified and Expires headers. */
  clockSkew(ms: number, options?: FaultOptions): void;
  /**
   * The headers of both rate limits left out, unreadable, below zero, or beyond all numbers; the limits themselves and
   * Retry-After stay right. The last call counts.
   */
  limitHeaders(how: LimitHeaders, options?: FaultOptions): void;
  /** How the limit that no header announces answers; 500 names the reason in its text. The last call counts. */
  hiddenLimitAs(code: 429 | 500, options?: FaultOptions): void;
  /** Slows answers down, until `clear()` at the longest. */
  latency(ms: number, options?: FaultOptions): void;
  /** Switches every fault off and lets go of the answers that `latency` holds back. */
  clear(): void;
}

/** One switched-on fault. */
export type Fault = { route: string | undefined; left: number } & FaultWhat;

export type FaultWhat =
  | { kind: 'status'; code: number; retryAfter: number | string | undefined; headers: boolean }
  | { kind: 'body'; contentType: string; text: string }
  | { kind: 'truncate' | 'reset' | 'resetMidway' | 'hang' | 'tear' | 'duplicateOrder' | 'dropOrder' | 'vip' }
  | { kind: 'loseAnswer' }
  | { kind: 'limitHeaders'; how: LimitHeaders }
  | { kind: 'hiddenLimitAs'; code: 429 | 500 }
  | { kind: 'oversize'; bytes: number }
  | { kind: 'emptyPage'; page: number | undefined }
  | { kind: 'wrongPages'; pages: number }
  | { kind: 'collapse'; share: number }
  | { kind: 'mutateRows'; change: RowChange<never> }
  | { kind: 'clockSkew' | 'latency'; ms: number };

export type FaultKind = FaultWhat['kind'];
export type FaultOf<K extends FaultKind> = Fault & { kind: K };

/** The faults of one simulator, and the server's way to take them. */
export interface ActiveFaults {
  faults: Faults;
  /** The first matching fault of these kinds; it counts as having struck. */
  take<K extends FaultKind>(
    kinds: readonly K[],
    call: { route: string; path: string },
    accept?: (fault: FaultOf<K>) => boolean,
  ): FaultOf<K> | undefined;
  /** Waits as long as a `latency` fault says, or until the faults are cleared. */
  delay(call: { route: string; path: string }): Promise<void>;
  /** Whether one of these kinds would strike; nothing is counted. */
  has(kinds: readonly FaultKind[], call: { route: string; path: string }): boolean;
}

function matches(fault: Fault, call: { route: string; path: string }): boolean {
  if (fault.route === undefined) return isEsi(call);
  return call.route === fault.route || call.route.includes(fault.route) || call.path.includes(fault.route);
}

type Add = (what: FaultWhat, options?: FaultOptions) => void;

function createFaults(add: Add, clear: () => void): Faults {
  const body = (contentType: string, text: string, options?: FaultOptions) =>
    add({ kind: 'body', contentType, text }, options);
  const status = (code: number, { retryAfter, headers = true, ...options }: StatusFaultOptions = {}) =>
    add({ kind: 'status', code, retryAfter, headers }, options);
  return {
    status,
    html: (options) => body('text/html', '<!DOCTYPE html><html><body>Bad gateway</body></html>', options),
    plainText: (options) => body('text/plain', 'upstream connect error or disconnect', options),
    badJson: (options) => body('application/json', '[{"order_id": 1, "price": ', options),
    rawBody: (text, options) => body('application/json', text, options),
    truncate: (options) => add({ kind: 'truncate' }, options),
    reset: (options) => add({ kind: 'reset' }, options),
    resetMidway: (options) => add({ kind: 'resetMidway' }, options),
    hang: (options) => add({ kind: 'hang' }, options),
    oversize: (bytes, options) => add({ kind: 'oversize', bytes }, options),
    emptyPage: (page, options) => add({ kind: 'emptyPage', page }, options),
    tear: (options) => add({ kind: 'tear' }, options),
    duplicateOrder: (options) => add({ kind: 'duplicateOrder' }, options),
    duplicateRow: (options) => add({ kind: 'duplicateOrder' }, options),
    dropOrder: (options) => add({ kind: 'dropOrder' }, options),
    dropRow: (options) => add({ kind: 'dropOrder' }, options),
    loseAnswer: (options) => add({ kind: 'loseAnswer' }, options),
    wrongPages: (pages, options) => add({ kind: 'wrongPages', pages }, options),
    emptySet: (options) => add({ kind: 'collapse', share: 0 }, options),
    collapse: (share, options) => add({ kind: 'collapse', share }, options),
    mutateRows: (change, options) => add({ kind: 'mutateRows', change }, options),
    down: (how = '503', options = {}) =>
      how === 'reset' ? add({ kind: 'reset' }, options) : status(503, { ...options, headers: false }),
    vip: (options) => add({ kind: 'vip' }, options),
    clockSkew: (ms, options) => add({ kind: 'clockSkew', ms }, options),
    limitHeaders: (how, options) => add({ kind: 'limitHeaders', how }, options),
    hiddenLimitAs: (code, options) => add({ kind: 'hiddenLimitAs', code }, options),
    latency: (ms, options) => add({ kind: 'latency', ms }, options),
    clear,
  };
}

/** The faults that spoil a whole answer. */
export type AnswerFault = FaultOf<(typeof ANSWER_FAULTS)[number]>;
const ANSWER_FAULTS = ['status', 'body', 'truncate', 'reset', 'resetMidway', 'hang', 'oversize'] as const;

/** Takes the fault that spoils the whole answer, if one does. */
export function takeAnswerFault(
  activeFaults: ActiveFaults,
  call: { route: string; path: string },
): AnswerFault | undefined {
  return activeFaults.take(ANSWER_FAULTS, call);
}

/** Any number of answers may wait for it. */
function newAbortController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Makes a activeFaults without faults. */
export function createActiveFaults(): ActiveFaults {
  let active: Fault[] = [];
  let cleared = newAbortController();
  const add: Add = (what, options = {}) => {
    const fault = { ...what, route: options.route, left: options.times ?? Number.POSITIVE_INFINITY };
    if (what.kind === 'limitHeaders' || what.kind === 'hiddenLimitAs')
      active.unshift(fault); // the last call counts
    else active.push(fault);
  };
  const take: ActiveFaults['take'] = <K extends FaultKind>(
    kinds: readonly K[],
    call: { route: string; path: string },
    accept: (fault: FaultOf<K>) => boolean = () => true,
  ) => {
    const isWanted = (fault: Fault): fault is FaultOf<K> =>
      (kinds as readonly string[]).includes(fault.kind) && matches(fault, call);
    const found = active.filter(isWanted).find(accept);
    if (!found) return undefined;
    found.left--;
    if (found.left <= 0) active = active.filter((fault) => fault !== found);
    return found;
  };
  return {
    faults: createFaults(add, () => {
      active = [];
      cleared.abort();
      cleared = newAbortController();
    }),
    has: (kinds, call) => active.some((fault) => kinds.includes(fault.kind) && matches(fault, call)),
    take,
    async delay(call) {
      const { signal } = cleared;
      const ms = take(['latency'], call)?.ms ?? 0;
      if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
    },
  };
}
