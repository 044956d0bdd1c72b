/**
 * The arithmetic of budgets, as pure functions of a bucket's state and the time: what has been spent within the floating
 * window, what workers have leased and not yet accounted for, and what may be granted. The state is plain JSON; who
 * keeps it (Postgres for workers, memory for tests) makes each exchange atomic.
 *
 * Spending is dated when the answer came: later than ESI can have counted it. A grant is given before the request
 * leaves: earlier than ESI can count it. So no window that ESI lays holds more than is allowed.
 */

/** A limit: so many tokens within any window of so many milliseconds. */
export interface BucketLimit {
  readonly tokens: number;
  readonly windowMs: number;
  /** Spreads grants: at most this many at once, and the rest as the window drips. */
  readonly burst?: number;
}

export interface BucketState {
  /** [ms when the slot ends, tokens spent within it, worker], oldest first. */
  slots: [number, number, string][];
  /** What workers hold: leased and not yet accounted for, and until when (ms) they may use it. */
  leases: Record<string, { tokens: number; until: number }>;
  /** Nothing is granted before (ms), and why. */
  held?: { until: number; why: string };
  /** Tokens that somebody else on this address spends from the same bucket, by ESI's own count. */
  foreign: number;
  /** When that was last heard (ms): a window later nothing of it can be left. */
  foreignAt: number;
  /** A stricter limit than the shipped one, as ESI's headers or description gave it. */
  strict?: { tokens: number; windowMs: number };
  /** The limit in force at the last exchange, for whoever looks. */
  limit?: { tokens: number; windowMs: number };
  /** Of a limit with a burst: what may be granted at once, and when that was reckoned. */
  drip?: { content: number; at: number };
}

/** What a worker tells of a bucket, and asks of it. */
export interface BucketSync {
  readonly worker: string;
  /** Tokens spent, with how many ms ago. */
  readonly spent: readonly (readonly [agoMs: number, tokens: number])[];
  /** Tokens that requests under way may cost at worst. */
  readonly inFlight: number;
  readonly want: number;
  /** What one request may cost: less is of no use to anybody, and is not granted. Default 1. */
  readonly unit?: number;
  /** ESI's own count of what is left, from its newest answer. */
  readonly remaining?: number | undefined;
  /** ESI's own limit, from its newest answer. */
  readonly limit?: { readonly tokens: number; readonly windowMs: number } | undefined;
  readonly hold?: { readonly forMs: number; readonly why: string } | undefined;
}

export interface Grant {
  readonly tokens: number;
  /** ms until more can come, when less than wanted was granted. */
  readonly retryMs: number;
  readonly why: string;
}

/** A worker that says nothing for so long is dead; what it leased is taken as spent at the end of this time. */
export const LEASE_MS = 15_000;

/** Slots per window: 180 of 5 s in fifteen minutes keep the state small and cost half a slot of precision. */
const SLOTS_PER_WINDOW = 180;

/** An exchange that found nothing comes back no sooner: a busy queue must not become a busy loop. */
const LEAST_RETRY = 25;

/** Leased tokens come back within this when they are not used: workers report twice a second. */
const LEASE_RETRY = 500;

export const emptyBucket = (): BucketState => ({ slots: [], leases: {}, foreign: 0, foreignAt: 0 });

/** The limit in force: the shipped one, or ESI's own where that is stricter. */
export function effectiveLimit(state: BucketState, shipped: BucketLimit): BucketLimit {
  const { strict } = state;
  if (!strict || !isStricter(strict, shipped)) return shipped;
  return { ...shipped, ...strict };
}

/** Tokens spent within the window, and leased by others than `worker`. */
export function usedTokens(state: BucketState, worker?: string): { spent: number; leased: number } {
  const spent = state.slots.reduce((sum, [, tokens]) => sum + tokens, 0);
  const leased = Object.entries(state.leases).reduce(
    (sum, [who, l]) => (who === worker ? sum : sum + l.tokens),
    0,
  );
  return { spent, leased };
}

/** Lets go what is out of the window, and takes the leases of dead workers as spent when they ended. */
export function expireUsage(state: BucketState, limit: BucketLimit, now: number): void {
  for (const [worker, lease] of Object.entries(state.leases)) {
    if (lease.until > now) continue;
    delete state.leases[worker];
    if (lease.tokens > 0) addSpent(state, limit, lease.until, lease.tokens, worker);
  }
  state.slots = state.slots.filter(([end]) => end > now - limit.windowMs);
  if (state.held && state.held.until <= now) delete state.held;
  if (state.foreignAt <= now - limit.windowMs) state.foreign = 0;
}

function addSpent(state: BucketState, limit: BucketLimit, at: number, tokens: number, worker: string): void {
  const width = Math.max(1, Math.floor(limit.windowMs / SLOTS_PER_WINDOW));
  const end = Math.ceil(at / width) * width; // the end of its slot: never sooner back than ESI gives it back
  const slot = state.slots.find(([slotEnd, , who]) => slotEnd === end && who === worker);
  if (slot) slot[1] += tokens;
  else state.slots.push([end, tokens, worker]);
}

/** One exchange with a bucket: accounts for what was spent, and grants what is free of what is wanted. */
export function exchange(state: BucketState, shipped: BucketLimit, ask: BucketSync, now: number): Grant {
  if (ask.limit) adoptLimit(state, shipped, ask.limit);
  const limit = effectiveLimit(state, shipped);
  state.limit = { tokens: limit.tokens, windowMs: limit.windowMs };
  expireUsage(state, limit, now);
  for (const [ago, tokens] of ask.spent)
    if (tokens > 0) addSpent(state, limit, now - ago, tokens, ask.worker);
  state.slots.sort((a, b) => a[0] - b[0]);
  if (ask.hold) hold(state, now + ask.hold.forMs, ask.hold.why);
  const before = state.leases[ask.worker]?.tokens ?? 0;
  const { spent, leased } = usedTokens(state, ask.worker);
  if (ask.remaining !== undefined) {
    // What ESI counts and we do not. Requests under way may be counted already, others' leases too: they are ours.
    state.foreign = Math.max(0, limit.tokens - ask.remaining - spent - leased - ask.inFlight);
    state.foreignAt = now;
  }
  const free = limit.tokens - state.foreign - spent - leased - ask.inFlight;
  const drip = limit.burst === undefined ? Infinity : refill(state, limit, limit.burst, before, ask, now);
  const { unit = 1 } = ask;
  const most = Math.floor(Math.min(ask.want, free, drip) / unit) * unit;
  const tokens = state.held ? 0 : Math.max(0, most);
  if (state.drip) state.drip.content -= tokens;
  const lease = ask.inFlight + tokens;
  if (lease > 0) state.leases[ask.worker] = { tokens: lease, until: now + LEASE_MS };
  else delete state.leases[ask.worker];
  // Where a request more would fit into the window, it is the burst that holds back.
  const shortage = {
    missing: ask.want - tokens,
    left: free - tokens - unit,
    underWay: leased + ask.inFlight,
  };
  return { tokens, ...comesBack(state, limit, shortage, now) };
}

/** Whether a limit lets less through than another: at once, or in the long run. */
function isStricter(found: Pick<BucketLimit, 'tokens' | 'windowMs'>, than: BucketLimit): boolean {
  return found.tokens < than.tokens || found.tokens / found.windowMs < than.tokens / than.windowMs;
}

/** Adopts ESI's own limit where it is stricter than the shipped one; a laxer one lifts an earlier strictness only. */
function adoptLimit(
  state: BucketState,
  shipped: BucketLimit,
  found: { tokens: number; windowMs: number },
): void {
  if (found.tokens <= 0 || found.windowMs <= 0) return;
  if (isStricter(found, shipped)) state.strict = { ...found };
  else delete state.strict;
}

function hold(state: BucketState, until: number, why: string): void {
  if (until > (state.held?.until ?? 0)) state.held = { until, why };
}

/** The burst's bucket: drips at the window's rate, and takes back what a lease returns unused. */
function refill(
  state: BucketState,
  limit: BucketLimit,
  burst: number,
  before: number,
  ask: BucketSync,
  now: number,
): number {
  const drip = state.drip ?? { content: 0, at: now }; // empty at first: restarts do not add up to bursts
  const spent = ask.spent.reduce((sum, [, tokens]) => sum + tokens, 0);
  const returned = Math.max(0, before - spent - ask.inFlight);
  const content = drip.content + ((now - drip.at) * limit.tokens) / limit.windowMs + returned;
  state.drip = { content: Math.min(burst, content), at: now };
  return state.drip.content;
}

/** When more can be granted: the hold's end, the next drop, or what ends first of all that takes the bucket up. */
function comesBack(
  state: BucketState,
  limit: BucketLimit,
  { missing, left, underWay }: { missing: number; left: number; underWay: number },
  now: number,
): { retryMs: number; why: string } {
  if (state.held) return { retryMs: Math.max(LEAST_RETRY, state.held.until - now), why: state.held.why };
  if (missing <= 0) return { retryMs: 0, why: '' };
  const drop = { retryMs: limit.windowMs / limit.tokens, why: 'the ceiling spreads requests' };
  const [oldest] = state.slots;
  const size = `${limit.tokens} tokens in ${Math.round(limit.windowMs / 1_000)} s`;
  const ends = [
    ...(oldest ? [{ retryMs: oldest[0] + limit.windowMs - now, why: `${size} are used up` }] : []),
    ...(state.foreign > 0
      ? [
          {
            retryMs: state.foreignAt + limit.windowMs - now,
            why: `somebody else on this address uses ${state.foreign} of ${size}`,
          },
        ]
      : []),
    ...(underWay > 0
      ? [{ retryMs: LEASE_RETRY, why: `requests under way may use up the rest of ${size}` }]
      : []),
  ].toSorted((a, b) => a.retryMs - b.retryMs);
  const { retryMs, why } = (left >= 0 ? undefined : ends[0]) ?? drop;
  return { retryMs: Math.max(LEAST_RETRY, retryMs), why };
}

/** Whether a bucket says nothing any more: it can be forgotten. */
export function isIdle(state: BucketState, now: number): boolean {
  return (
    state.slots.length === 0 &&
    Object.keys(state.leases).length === 0 &&
    (state.held?.until ?? 0) <= now &&
    !state.strict
  );
}

/** An exchange with one bucket of a ledger. */
export interface BucketSyncRequest {
  readonly bucket: string;
  readonly limit: BucketLimit;
  readonly exchange: BucketSync;
}

/** Where buckets are kept. All asks of a call are one atomic exchange. */
export interface RateLimitStore {
  exchange(asks: readonly BucketSyncRequest[]): Promise<Grant[]>;
}
