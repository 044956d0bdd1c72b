import { ERRORS_A_MINUTE, MINUTE, type Allowances } from './allowances.ts';
import type { Call } from './call.ts';
import { isError, tokensOf } from './limits.ts';

/** What callers have used of one limit, all addresses together; a character's buckets are its own. */
export interface BudgetLine {
  /**
   * A bucket's group, with a space and the user behind it where that is a character's application; `errors`, `hidden`
   * and a route, or `all` for every request of ESI.
   */
  name: string;
  /** What a window may hold, as set now; null where ESI names no limit. */
  allowed: number | null;
  windowSeconds: number;
  /** The most that any window held, wherever it is laid. */
  most: number;
  spent: number;
  requests: number;
  /** Answers with 429 or 420, and the hidden limit's 500. */
  refused: number;
}

/** The budget's judge. */
export interface Budget {
  /** Books a request; the function it gives back books how it was answered. */
  arrive(call: Call): (status: number, refused: boolean) => void;
  report(): BudgetLine[];
  clear(): void;
}

const KEPT = 1_000_000; // arrivals of one limit: 9 MB
const FIRST = 64; // what a ring starts with: a thousand characters have some thousands of them
const FOLD = KEPT / 2; // how often a full ring is searched, so that nothing is lost: a window holds fewer

/** Arrival times and tokens of one limit, the oldest overwritten. */
class Meter {
  spent = 0;
  requests = 0;
  refused = 0;
  #at = new Float64Array(FIRST);
  #tokens = new Uint8Array(FIRST); // no request costs more than 5
  #best = 0;

  /** `tokens` are spent already, whatever the answer will be. */
  arrive(at: number, windowMs: number, tokens: number): number {
    const slot = this.requests;
    if (slot >= KEPT && slot % FOLD === 0) this.#best = this.most(windowMs); // before anything is overwritten
    this.requests++;
    if (slot === this.#at.length && slot < KEPT) this.#grow();
    this.#at[slot % KEPT] = at;
    this.#tokens[slot % KEPT] = tokens;
    this.spent += tokens;
    return slot;
  }

  settle(slot: number, tokens: number, refused: boolean): void {
    this.spent += tokens;
    if (refused) this.refused++;
    if (tokens > 0 && slot >= this.requests - KEPT) this.#tokens[slot % KEPT] = tokens;
  }

  /** A window is half open: what was spent a window ago has come back. */
  most(windowMs: number): number {
    let best = this.#best;
    let held = 0;
    let tail = Math.max(0, this.requests - KEPT);
    for (let head = tail; head < this.requests; head++) {
      held += this.#tokens[head % KEPT] ?? 0;
      const oldest = (this.#at[head % KEPT] ?? 0) - windowMs;
      while (tail < head && (this.#at[tail % KEPT] ?? 0) <= oldest) held -= this.#tokens[tail++ % KEPT] ?? 0;
      best = Math.max(best, held);
    }
    return best;
  }

  #grow(): void {
    const size = Math.min(KEPT, this.#at.length * 2);
    const [at, tokens] = [new Float64Array(size), new Uint8Array(size)];
    at.set(this.#at);
    tokens.set(this.#tokens);
    [this.#at, this.#tokens] = [at, tokens];
  }
}

/** How a limit counts: a request as such, or its answer. */
interface Draw {
  name: string;
  atOnce: number;
  after(status: number): number;
}

const bucketName = (call: Call, group: string): string =>
  call.user === call.caller ? group : `${group} ${call.user}`;

function drawsOf(call: Call): Draw[] {
  const request = (name: string): Draw => ({ name, atOnce: 1, after: () => 0 });
  return [
    call.group === undefined
      ? { name: 'errors', atOnce: 0, after: (status) => Number(isError(status)) }
      : {
          name: bucketName(call, call.group),
          atOnce: 0,
          after: (status) => (status === 420 ? 0 : tokensOf(status)),
        },
    ...(call.hidden ? [request(`hidden ${call.route}`)] : []),
    request('all'),
  ];
}

/** `hiddenLimit` is the requests a minute of routes with a hidden limit. */
export function createBudget(allowances: Allowances, hiddenLimit: number): Budget {
  let meters = new Map<string, Meter>();
  const limitOf = (name: string): { allowed: number | null; windowSeconds: number } => {
    const windowSeconds = MINUTE / 1_000;
    if (name === 'all') return { allowed: null, windowSeconds };
    if (name === 'errors') return { allowed: ERRORS_A_MINUTE, windowSeconds };
    if (name.startsWith('hidden ')) return { allowed: hiddenLimit, windowSeconds };
    const bucket = allowances.of(name.split(' ')[0] as string);
    return { allowed: bucket.tokens, windowSeconds: bucket.windowSeconds };
  };
  const enter = ({ name, atOnce }: Draw, at: number) => {
    const meter = meters.get(name) ?? new Meter();
    meters.set(name, meter);
    return { meter, slot: meter.arrive(at, limitOf(name).windowSeconds * 1_000, atOnce) };
  };
  return {
    arrive: (call) => {
      const entries = drawsOf(call).map((draw) => ({ draw, ...enter(draw, call.at) }));
      return (status, refused) => {
        for (const { draw, meter, slot } of entries) meter.settle(slot, draw.after(status), refused);
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
          most: meter.most(windowSeconds * 1_000),
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
