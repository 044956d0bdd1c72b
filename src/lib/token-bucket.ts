/**
 * Token buckets as pure functions of a state and the time: what was spent within the sliding window, what workers have
 * leased but not accounted for yet, and what may be granted. The state is plain JSON. Whoever stores it (PostgreSQL for
 * workers, memory for tests) must make each sync atomic.
 *
 * Usage is dated when the answer arrived, which is later than ESI can have counted it. Tokens are granted before the
 * request is sent, which is earlier than ESI can count it. Therefore no window of ESI's holds more than its limit.
 */

/** A limit: so many tokens within any window of so many milliseconds. */
export interface BucketLimit {
  readonly tokens: number;
  readonly windowMs: number;
  /** Spreads grants: at most this many at once, refilled at the rate of the window. */
  readonly burst?: number;
}

/** Tokens and window of a limit, without its burst. */
export type WindowLimit = Pick<BucketLimit, 'tokens' | 'windowMs'>;

/** The state of a bucket, as `esi_buckets` stores it. All times are milliseconds since the epoch. */
export interface BucketState {
  /** [end of the slot, tokens spent within it, worker], oldest first. */
  slots: [number, number, string][];
  /** By worker: tokens leased and not accounted for yet, and until when the worker may use them. */
  leases: Record<string, { tokens: number; until: number }>;
  /** Nothing is granted before `until`. */
  blocked?: { until: number; reason: string };
  /** Tokens that other clients on this IP address spent from the same bucket, by ESI's own count. */
  externalUsage: number;
  /** When ESI last reported that count. One window later nothing of it can be left. */
  externalUsageAt: number;
  /** A stricter limit than the shipped one, from ESI's headers. */
  stricterLimit?: WindowLimit;
  /** The limit in force at the last sync, for display. */
  limit?: WindowLimit;
  /** Of a limit with a burst: the tokens that may be granted at once, and when they were computed. */
  burst?: { tokens: number; at: number };
}

/** What a worker reports of a bucket, and wants from it. */
export interface BucketSync {
  readonly worker: string;
  /** Tokens spent, and how many milliseconds ago. */
  readonly spent: readonly (readonly [agoMs: number, tokens: number])[];
  /** Tokens that requests in flight cost at worst. */
  readonly inFlight: number;
  readonly want: number;
  /** The worst cost of one request. Fewer tokens would be of no use, and are not granted. Default 1. */
  readonly unit?: number;
  /** ESI's own count of the tokens left, from its newest answer. */
  readonly remaining?: number | undefined;
  /** ESI's own limit, from its newest answer. */
  readonly limit?: WindowLimit | undefined;
  readonly block?: { readonly forMs: number; readonly reason: string } | undefined;
}

/** The answer to a sync. */
export interface Grant {
  readonly tokens: number;
  /** Milliseconds until more can be granted; 0 when all wanted tokens were granted. */
  readonly retryMs: number;
  /** Why less than wanted was granted; empty otherwise. */
  readonly reason: string;
}

/** A sync with one bucket. */
export interface BucketSyncRequest {
  readonly bucket: string;
  /** The shipped limit, or that of the settings. */
  readonly limit: BucketLimit;
  readonly sync: BucketSync;
}

/** Stores buckets. All requests of a call are synced in one atomic step. */
export interface RateLimitStore {
  sync(requests: readonly BucketSyncRequest[]): Promise<Grant[]>;
}

/** A worker that does not sync for this long is dead. Its lease counts as spent at the end of this time. */
export const LEASE_MS = 15_000;

/** 180 slots of 5 s in fifteen minutes keep the state small and cost half a slot of precision. */
const SLOTS_PER_WINDOW = 180;

/** The shortest retry, so that a busy queue does not become a busy loop. */
const MIN_RETRY = 25;

/** Unused leased tokens come back within this time, because workers report twice a second. */
const LEASE_RETRY = 500;

export const emptyBucket = (): BucketState => ({
  slots: [],
  leases: {},
  externalUsage: 0,
  externalUsageAt: 0,
});

/** The limit in force: the shipped one, or ESI's own where that is stricter. */
export function effectiveLimit({ stricterLimit }: BucketState, shipped: BucketLimit): BucketLimit {
  if (!stricterLimit || !isStricter(stricterLimit, shipped)) return shipped;
  return { ...shipped, ...stricterLimit };
}

/** Whether a limit allows less than another, at once or in the long run. */
function isStricter(a: WindowLimit, b: WindowLimit): boolean {
  return a.tokens < b.tokens || a.tokens / a.windowMs < b.tokens / b.windowMs;
}

/** Tokens spent within the window, and tokens leased by workers other than `worker`. */
export function usedTokens(state: BucketState, worker?: string): { spent: number; leased: number } {
  let spent = 0;
  for (const [, tokens] of state.slots) spent += tokens;
  let leased = 0;
  for (const [leaser, { tokens }] of Object.entries(state.leases)) if (leaser !== worker) leased += tokens;
  return { spent, leased };
}

/** Removes usage that left the window, and counts the leases of dead workers as spent when they ended. */
export function expireUsage(state: BucketState, limit: BucketLimit, now: number): void {
  for (const [worker, lease] of Object.entries(state.leases)) {
    if (lease.until > now) continue;
    delete state.leases[worker];
    addUsage(state, limit, lease.until, lease.tokens, worker);
  }
  state.slots = state.slots.filter(([end]) => end > now - limit.windowMs);
  if (state.blocked && state.blocked.until <= now) delete state.blocked;
  if (state.externalUsageAt <= now - limit.windowMs) state.externalUsage = 0;
}

function addUsage(state: BucketState, limit: BucketLimit, at: number, tokens: number, worker: string): void {
  if (tokens <= 0) return;
  const width = Math.max(1, Math.floor(limit.windowMs / SLOTS_PER_WINDOW));
  const end = Math.ceil(at / width) * width; // the end of its slot: never free again earlier than at ESI
  const slot = state.slots.find(([slotEnd, , spender]) => slotEnd === end && spender === worker);
  if (slot) slot[1] += tokens;
  else state.slots.push([end, tokens, worker]);
}

/** Syncs a worker with a bucket: records its usage, and reserves what is free of what it wants. Changes `state`. */
export function syncBucket(state: BucketState, shipped: BucketLimit, sync: BucketSync, now: number): Grant {
  const { worker, inFlight, unit = 1 } = sync;
  if (sync.limit) adoptLimit(state, shipped, sync.limit);
  const limit = effectiveLimit(state, shipped);
  state.limit = { tokens: limit.tokens, windowMs: limit.windowMs };
  expireUsage(state, limit, now);
  for (const [ago, tokens] of sync.spent) addUsage(state, limit, now - ago, tokens, worker);
  state.slots.sort((a, b) => a[0] - b[0]);
  if (sync.block) block(state, now + sync.block.forMs, sync.block.reason);
  const leaseBefore = state.leases[worker]?.tokens ?? 0;
  const { spent, leased } = usedTokens(state, worker);
  if (sync.remaining !== undefined) {
    // What ESI counts and we do not. ESI may have counted requests in flight and the leases of other workers already.
    state.externalUsage = Math.max(0, limit.tokens - sync.remaining - spent - leased - inFlight);
    state.externalUsageAt = now;
  }
  const free = limit.tokens - state.externalUsage - spent - leased - inFlight;
  const burst =
    limit.burst === undefined ? Infinity : refill(state, limit, limit.burst, leaseBefore, sync, now);
  const grantable = Math.floor(Math.min(sync.want, free, burst) / unit) * unit;
  const tokens = state.blocked ? 0 : Math.max(0, grantable);
  if (state.burst) state.burst.tokens -= tokens;
  const lease = inFlight + tokens;
  if (lease > 0) state.leases[worker] = { tokens: lease, until: now + LEASE_MS };
  else delete state.leases[worker];
  if (state.blocked) {
    const { until, reason } = state.blocked;
    return { tokens, retryMs: Math.max(MIN_RETRY, until - now), reason };
  }
  if (tokens >= sync.want) return { tokens, retryMs: 0, reason: '' };
  // Where one more request would fit into the window, the burst is what limits.
  const isBurst = free - tokens - unit >= 0;
  const { retryMs, reason } = nextGrant(state, limit, leased + inFlight, isBurst, now);
  return { tokens, retryMs: Math.max(MIN_RETRY, retryMs), reason };
}

/** Adopts ESI's own limit where it is stricter than the shipped one. A laxer one only ends an earlier stricter one. */
function adoptLimit(state: BucketState, shipped: BucketLimit, found: WindowLimit): void {
  if (found.tokens <= 0 || found.windowMs <= 0) return;
  if (isStricter(found, shipped)) state.stricterLimit = { ...found };
  else delete state.stricterLimit;
}

function block(state: BucketState, until: number, reason: string): void {
  if (until > (state.blocked?.until ?? 0)) state.blocked = { until, reason };
}

/** Refills the burst at the rate of the window, and with the tokens that a lease returns unused. Returns its tokens. */
function refill(
  state: BucketState,
  limit: BucketLimit,
  burst: number,
  leaseBefore: number,
  sync: BucketSync,
  now: number,
): number {
  const before = state.burst ?? { tokens: 0, at: now }; // starts empty, so that restarts do not add up to bursts
  const spent = sync.spent.reduce((sum, [, tokens]) => sum + tokens, 0);
  const returned = Math.max(0, leaseBefore - spent - sync.inFlight);
  const refilled = before.tokens + ((now - before.at) * limit.tokens) / limit.windowMs + returned;
  state.burst = { tokens: Math.min(burst, refilled), at: now };
  return state.burst.tokens;
}

/** When more can be granted, and why not now: the next token of the burst, or the first usage that may end. */
function nextGrant(
  state: BucketState,
  limit: BucketLimit,
  reserved: number,
  isBurst: boolean,
  now: number,
): { retryMs: number; reason: string } {
  const size = `${limit.tokens.toLocaleString('en')} tokens in ${Math.round(limit.windowMs / 1_000)} s`;
  const candidates: { retryMs: number; reason: string }[] = [];
  const [oldest] = state.slots;
  if (oldest) candidates.push({ retryMs: oldest[0] + limit.windowMs - now, reason: `all ${size} are used` });
  if (state.externalUsage > 0)
    candidates.push({
      retryMs: state.externalUsageAt + limit.windowMs - now,
      reason: `another client on this IP address uses ${state.externalUsage.toLocaleString('en')} of ${size}`,
    });
  if (reserved > 0)
    candidates.push({ retryMs: LEASE_RETRY, reason: `requests in flight may use the rest of ${size}` });
  const [first] = candidates.toSorted((a, b) => a.retryMs - b.retryMs);
  if (first && !isBurst) return first;
  return { retryMs: limit.windowMs / limit.tokens, reason: 'requests are spread over the minute' };
}

/** Whether a bucket holds nothing worth storing. */
export function isIdle(state: BucketState, now: number): boolean {
  return (
    state.slots.length === 0 &&
    Object.keys(state.leases).length === 0 &&
    (state.blocked?.until ?? 0) <= now &&
    !state.stricterLimit
  );
}
