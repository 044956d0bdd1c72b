import type { Clock } from '../kernel/clock.ts';

const WINDOW_MS = 900_000; // every published window is 15 minutes
const ERRORS_A_MINUTE = 100; // of the old error limit
const MINUTE = 60_000;

/** Tokens per window of the groups that are simulated. */
const TOKENS: Record<string, number> = { 'market-order': 12_000, status: 600, meta: 150 };

interface Ledger {
  spent: { at: number; tokens: number }[];
  /** The first entry still inside the window: cheaper than shifting the list. */
  head: number;
  used: number;
}

/** A refusal, or undefined when the request may go on. */
export interface Refusal {
  status: 420 | 429;
  seconds: number;
}

/** What ESI counts per caller: floating token buckets for grouped routes, failures of a fixed minute for the rest. */
export interface Limits {
  refuse(caller: string, group: string | undefined): Refusal | undefined;
  /** Books an answer and gives the headers that go with it. */
  settle(caller: string, group: string | undefined, status: number): Record<string, string>;
}

/** Successes cost 2, redirections and 304 cost 1, failures of the caller cost 5, refusals and failures of ESI nothing. */
function tokensOf(status: number): number {
  if (status === 429 || status >= 500) return 0;
  if (status >= 400) return 5;
  return status >= 300 ? 1 : 2;
}

function expire(ledger: Ledger, now: number): void {
  let entry = ledger.spent[ledger.head];
  while (entry && entry.at + WINDOW_MS <= now) {
    ledger.used -= entry.tokens;
    entry = ledger.spent[++ledger.head];
  }
  if (ledger.head < 5_000) return; // tidy up now and then
  ledger.spent.splice(0, ledger.head);
  ledger.head = 0;
}

/** The rolling ledgers of token buckets. */
function createBuckets(clock: Clock) {
  const ledgers = new Map<string, Ledger>();
  return (caller: string, group: string): Ledger => {
    const key = `${group} ${caller}`;
    const ledger = ledgers.get(key) ?? { spent: [], head: 0, used: 0 };
    ledgers.set(key, ledger);
    expire(ledger, clock.now());
    return ledger;
  };
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

function bucketHeaders(ledger: Ledger, group: string, tokens: number): Record<string, string> {
  const total = TOKENS[group] ?? 0;
  return {
    'X-Ratelimit-Group': group,
    'X-Ratelimit-Limit': `${total}/15m`,
    'X-Ratelimit-Remaining': String(Math.max(0, total - ledger.used)),
    'X-Ratelimit-Used': String(tokens),
  };
}

/** `enforce: false` counts but never refuses. */
export function createLimits(clock: Clock, enforce: boolean): Limits {
  const ledgerOf = createBuckets(clock);
  const errorsOf = createErrorWindows(clock);
  const secondsLeft = () => Math.ceil((MINUTE - (clock.now() % MINUTE)) / 1_000);
  return {
    refuse: (caller, group) => {
      if (!enforce) return undefined;
      if (errorsOf(caller).count >= ERRORS_A_MINUTE) return { status: 420, seconds: secondsLeft() };
      if (group === undefined) return undefined;
      const ledger = ledgerOf(caller, group);
      const oldest = ledger.spent[ledger.head];
      if (ledger.used < (TOKENS[group] ?? 0) || !oldest) return undefined;
      return { status: 429, seconds: Math.max(1, Math.ceil((oldest.at + WINDOW_MS - clock.now()) / 1_000)) };
    },
    settle: (caller, group, status) => {
      if (group === undefined || status === 420) {
        const window = errorsOf(caller);
        if (status >= 400 && status !== 420) window.count++;
        return {
          'X-Esi-Error-Limit-Remain': String(Math.max(0, ERRORS_A_MINUTE - window.count)),
          'X-Esi-Error-Limit-Reset': String(secondsLeft()),
        };
      }
      const ledger = ledgerOf(caller, group);
      const tokens = tokensOf(status);
      if (tokens > 0) ledger.spent.push({ at: clock.now(), tokens });
      ledger.used += tokens;
      return bucketHeaders(ledger, group, tokens);
    },
  };
}
