import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isEsi } from './esi-call.ts';
import type { Order, Price } from './esi-rows.ts';

/** Which answers a fault affects, and how often. */
export interface FaultOptions {
  /**
   * A route's template or a part of the path; `sde` for the static data, a path below `/sso` for the SSO. Default: every
   * ESI route, and only those.
   */
  route?: string;
  /** The number of affected answers (for `tear`: of reads). Default: until `clear()`. */
  times?: number;
}

export interface StatusFaultOptions extends FaultOptions {
  /** Seconds, or a text that is sent as it is. */
  retryAfter?: number | string;
  /** With the limit headers (default) or without, as refusals of the game server come. */
  headers?: boolean;
  /** The body. Default: an error that names the status. */
  body?: unknown;
}

/** Returns a row as it is served, null to leave it out, or undefined to serve `null`. The result may be any invalid row. */
export type RowChange<Row = Order | Price> = (row: Row) => unknown;

/** How the limit headers are distorted. */
export type LimitHeaders = 'missing' | 'wrong' | 'negative' | 'huge';

/** The faults that can be enabled at any time. */
export interface Faults {
  status(code: number, options?: StatusFaultOptions): void;
  /** Answers 200 with a web page. */
  html(options?: FaultOptions): void;
  /** Answers 200 with plain text. */
  plainText(options?: FaultOptions): void;
  /** Announces the whole content, sends half of it and drops the connection. */
  truncate(options?: FaultOptions): void;
  /** Drops the connection before an answer. */
  reset(options?: FaultOptions): void;
  /** Sends the headers of the whole content and drops the connection before the body. */
  resetMidway(options?: FaultOptions): void;
  /** Does not answer until the simulator closes. */
  hang(options?: FaultOptions): void;
  /** Answers with this many bytes without announcing the length. */
  oversize(bytes: number, options?: FaultOptions): void;
  /** Announces the whole content and sends a byte of it each so many milliseconds. */
  drip(ms: number, options?: FaultOptions): void;
  badJson(options?: FaultOptions): void;
  /** Answers 200 with this body and, besides those of every answer, these headers. */
  rawBody(
    body: string | Buffer,
    options?: FaultOptions & { headers?: Readonly<Record<string, string>> },
  ): void;
  /** Serves `[]` as this page of a snapshot (default: every page). Where `from_id` is used, page 2 means every later one. */
  emptyPage(page?: number, options?: FaultOptions): void;
  /** A newer snapshot appears between page 1 and the next page of each read. */
  tear(options?: FaultOptions): void;
  /** The last page ends with a copy of the first row of page 1, changed by `change` where it is given. */
  duplicateRow(options?: FaultOptions & { change?: (row: Record<string, unknown>) => unknown }): void;
  /** A middle page lacks one row. */
  dropRow(options?: FaultOptions): void;
  /** X-Pages is `pages` from page 2 on, or on all pages. */
  wrongPages(pages: number, options?: FaultOptions & { onAllPages?: boolean }): void;
  /** The snapshot is whole and consistent, but without rows. */
  emptySnapshot(options?: FaultOptions): void;
  /** The snapshot is whole and consistent, but has only this share of its rows. */
  collapse(share: number, options?: FaultOptions): void;
  /** Changes the rows of orders, prices and owners as they are served. An answer that is no list counts as one row. */
  mutateRows<Row = Order | Price>(change: RowChange<Row>, options?: FaultOptions): void;
  /** The request takes its full effect, and the connection drops before the answer. */
  loseAnswer(options?: FaultOptions): void;
  /** Every answer is a 503, or a dropped connection. */
  down(how?: '503' | 'reset', options?: FaultOptions): void;
  /** /status states that only staff may log in. */
  vip(options?: FaultOptions): void;
  /** Shifts the Date, Last-Modified and Expires headers. */
  clockSkew(ms: number, options?: FaultOptions): void;
  /**
   * The headers of both rate limits are left out, unreadable, negative, or larger than any number. The limits themselves
   * and Retry-After stay correct. The last call counts.
   */
  limitHeaders(how: LimitHeaders, options?: FaultOptions): void;
  /** The status of the limit that no header announces; 500 names the reason in its text. The last call counts. */
  hiddenLimitAs(code: 429 | 500, options?: FaultOptions): void;
  /** Delays answers, at the longest until `clear()`. */
  latency(ms: number, options?: FaultOptions): void;
  /** Disables every fault and sends the answers that `latency` delays. */
  clear(): void;
}

/** An enabled fault. */
export type Fault = { route: string | undefined; left: number } & FaultWhat;

export type FaultWhat =
  | {
      kind: 'status';
      code: number;
      retryAfter: number | string | undefined;
      headers: boolean;
      body?: unknown;
    }
  | { kind: 'body'; body: string | Buffer; headers: Readonly<Record<string, string>> }
  | { kind: 'truncate' | 'reset' | 'resetMidway' | 'hang' | 'tear' | 'dropRow' | 'vip' }
  | { kind: 'duplicateRow'; change: ((row: Record<string, unknown>) => unknown) | undefined }
  | { kind: 'loseAnswer' }
  | { kind: 'limitHeaders'; how: LimitHeaders }
  | { kind: 'hiddenLimitAs'; code: 429 | 500 }
  | { kind: 'oversize'; bytes: number }
  | { kind: 'emptyPage'; page: number | undefined }
  | { kind: 'wrongPages'; pages: number; onAllPages: boolean }
  | { kind: 'collapse'; share: number }
  | { kind: 'mutateRows'; change: RowChange<never> }
  | { kind: 'clockSkew' | 'latency' | 'drip'; ms: number };

export type FaultKind = FaultWhat['kind'];
export type FaultOf<K extends FaultKind> = Fault & { kind: K };

/** The enabled faults of one simulator. */
export interface ActiveFaults {
  faults: Faults;
  /** Returns the first matching fault of these kinds and counts it as used. */
  take<K extends FaultKind>(
    kinds: readonly K[],
    call: { route: string; path: string },
    accept?: (fault: FaultOf<K>) => boolean,
  ): FaultOf<K> | undefined;
  /** Waits for the time of a `latency` fault, or until the faults are cleared. */
  delay(call: { route: string; path: string }): Promise<void>;
  /** Whether a fault of these kinds matches. Nothing is counted. */
  has(kinds: readonly FaultKind[], call: { route: string; path: string }): boolean;
}

function matches(fault: Fault, call: { route: string; path: string }): boolean {
  if (fault.route === undefined) return isEsi(call);
  return call.route === fault.route || call.route.includes(fault.route) || call.path.includes(fault.route);
}

type Add = (what: FaultWhat, options?: FaultOptions) => void;

function createFaults(add: Add, clear: () => void): Faults {
  const body = (
    contentType: string,
    content: string | Buffer,
    options?: FaultOptions & { headers?: Readonly<Record<string, string>> },
  ) =>
    add(
      { kind: 'body', body: content, headers: { 'Content-Type': contentType, ...options?.headers } },
      options,
    );
  const status = (
    code: number,
    { retryAfter, headers = true, body: content, ...options }: StatusFaultOptions = {},
  ) => add({ kind: 'status', code, retryAfter, headers, body: content }, options);
  return {
    status,
    html: (options) => body('text/html', '<!DOCTYPE html><html><body>Bad gateway</body></html>', options),
    plainText: (options) => body('text/plain', 'upstream connect error or disconnect', options),
    badJson: (options) => body('application/json', '[{"order_id": 1, "price": ', options),
    rawBody: (content, options) => body('application/json', content, options),
    truncate: (options) => add({ kind: 'truncate' }, options),
    reset: (options) => add({ kind: 'reset' }, options),
    resetMidway: (options) => add({ kind: 'resetMidway' }, options),
    hang: (options) => add({ kind: 'hang' }, options),
    drip: (ms, options) => add({ kind: 'drip', ms }, options),
    oversize: (bytes, options) => add({ kind: 'oversize', bytes }, options),
    emptyPage: (page, options) => add({ kind: 'emptyPage', page }, options),
    tear: (options) => add({ kind: 'tear' }, options),
    duplicateRow: (options) => add({ kind: 'duplicateRow', change: options?.change }, options),
    dropRow: (options) => add({ kind: 'dropRow' }, options),
    loseAnswer: (options) => add({ kind: 'loseAnswer' }, options),
    wrongPages: (pages, options) =>
      add({ kind: 'wrongPages', pages, onAllPages: options?.onAllPages ?? false }, options),
    emptySnapshot: (options) => add({ kind: 'collapse', share: 0 }, options),
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

/** The faults that replace or interrupt a whole answer. */
export type AnswerFault = FaultOf<(typeof ANSWER_FAULTS)[number]>;
const ANSWER_FAULTS = [
  'status',
  'body',
  'truncate',
  'reset',
  'resetMidway',
  'hang',
  'oversize',
  'drip',
] as const;

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

/** Creates the faults of a simulator, all disabled. */
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
