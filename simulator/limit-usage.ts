import { ERRORS_A_MINUTE, MINUTE, type Allowances } from './allowances.ts';
import type { Call } from './esi-call.ts';
import { isError, tokenCost } from './rate-limits.ts';

/** What callers have used of one limit, over all addresses. A character has buckets of its own. */
export interface LimitUsage {
  /**
   * The group of a bucket, followed by a space and the user if the bucket belongs to the application of a character;
   * `errors`; `hidden` and a route; or `all` for every request to ESI.
   */
  name: string;
  /** What a window may hold with the present settings; null where ESI states no limit. */
  allowed: number | null;
  windowSeconds: number;
  /** The most tokens or requests in any window. */
  most: number;
  spent: number;
  requests: number;
  /** Answers with 429 or 420, and 500 of the hidden limit. */
  refused: number;
}

/** Measures how much of each limit is used. */
export interface LimitUsageMeter {
  /** Records a request. The returned function records its answer. */
  recordRequest(call: Call): (status: number, refused: boolean) => void;
  report(): LimitUsage[];
  clear(): void;
}

/** Arrivals kept per limit: 9 MB. */
const MAX_ARRIVALS = 1_000_000;

/** The initial size of a ring buffer: a thousand characters have some thousands of buffers. */
const INITIAL_SIZE = 64;

/** How often a full ring buffer is searched before entries are overwritten. A window holds fewer entries. */
const SCAN_INTERVAL = MAX_ARRIVALS / 2;

/** The arrival times and tokens of one limit in a ring buffer. */
class Meter {
  spent = 0;
  requests = 0;
  refused = 0;
  #at = new Float64Array(INITIAL_SIZE);
  #tokens = new Uint8Array(INITIAL_SIZE); // no request costs more than 5
  #maxSoFar = 0;

  /** Records a request that costs `tokens` whatever its answer will be. */
  recordRequest(at: number, windowMs: number, tokens: number): number {
    const slot = this.requests;
    if (slot >= MAX_ARRIVALS && slot % SCAN_INTERVAL === 0) this.#maxSoFar = this.maxInWindow(windowMs);
    this.requests++;
    if (slot === this.#at.length && slot < MAX_ARRIVALS) this.#grow();
    this.#at[slot % MAX_ARRIVALS] = at;
    this.#tokens[slot % MAX_ARRIVALS] = tokens;
    this.spent += tokens;
    return slot;
  }

  recordAnswer(slot: number, tokens: number, refused: boolean): void {
    this.spent += tokens;
    if (refused) this.refused++;
    if (tokens > 0 && slot >= this.requests - MAX_ARRIVALS) this.#tokens[slot % MAX_ARRIVALS] = tokens;
  }

  /** A window is half open: what was spent exactly one window ago has come back. */
  maxInWindow(windowMs: number): number {
    let max = this.#maxSoFar;
    let held = 0;
    let tail = Math.max(0, this.requests - MAX_ARRIVALS);
    for (let head = tail; head < this.requests; head++) {
      held += this.#tokens[head % MAX_ARRIVALS] ?? 0;
      const oldest = (this.#at[head % MAX_ARRIVALS] ?? 0) - windowMs;
      while (tail < head && (this.#at[tail % MAX_ARRIVALS] ?? 0) <= oldest)
        held -= this.#tokens[tail++ % MAX_ARRIVALS] ?? 0;
      max = Math.max(max, held);
    }
    return max;
  }

  #grow(): void {
    const size = Math.min(MAX_ARRIVALS, this.#at.length * 2);
    const [at, tokens] = [new Float64Array(size), new Uint8Array(size)];
    at.set(this.#at);
    tokens.set(this.#tokens);
    [this.#at, this.#tokens] = [at, tokens];
  }
}

/** What a request costs when it arrives, and what its answer costs. */
interface Charge {
  name: string;
  onRequest: number;
  onAnswer(status: number): number;
}

const bucketName = (call: Call, group: string): string =>
  call.user === call.caller ? group : `${group} ${call.user}`;

function chargesOf(call: Call): Charge[] {
  const request = (name: string): Charge => ({ name, onRequest: 1, onAnswer: () => 0 });
  return [
    call.group === undefined
      ? { name: 'errors', onRequest: 0, onAnswer: (status) => Number(isError(status)) }
      : {
          name: bucketName(call, call.group),
          onRequest: 0,
          onAnswer: (status) => (status === 420 ? 0 : tokenCost(status)),
        },
    ...(call.hidden ? [request(`hidden ${call.route}`)] : []),
    request('all'),
  ];
}

/** `hiddenLimit` is the number of requests a minute for routes with a hidden limit. */
export function createLimitUsageMeter(allowances: Allowances, hiddenLimit: number): LimitUsageMeter {
  let meters = new Map<string, Meter>();
  const limitOf = (name: string): { allowed: number | null; windowSeconds: number } => {
    const windowSeconds = MINUTE / 1_000;
    if (name === 'all') return { allowed: null, windowSeconds };
    if (name === 'errors') return { allowed: ERRORS_A_MINUTE, windowSeconds };
    if (name.startsWith('hidden ')) return { allowed: hiddenLimit, windowSeconds };
    const bucket = allowances.of(name.split(' ')[0] as string);
    return { allowed: bucket.tokens, windowSeconds: bucket.windowSeconds };
  };
  const recordCharge = ({ name, onRequest }: Charge, at: number) => {
    const meter = meters.get(name) ?? new Meter();
    meters.set(name, meter);
    return { meter, slot: meter.recordRequest(at, limitOf(name).windowSeconds * 1_000, onRequest) };
  };
  return {
    recordRequest: (call) => {
      const entries = chargesOf(call).map((charge) => ({ charge, ...recordCharge(charge, call.at) }));
      return (status, refused) => {
        for (const { charge, meter, slot } of entries)
          meter.recordAnswer(slot, charge.onAnswer(status), refused);
      };
    },
    report: () =>
      [...meters].map(([name, meter]) => {
        const { allowed, windowSeconds } = limitOf(name);
        const { spent, requests, refused } = meter;
        return {
          name,
          allowed,
          windowSeconds,
          most: meter.maxInWindow(windowSeconds * 1_000),
          spent,
          requests,
          refused,
        };
      }),
    clear: () => {
      meters = new Map();
    },
  };
}
