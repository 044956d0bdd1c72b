/** So many tokens within any window of so many milliseconds. */
export interface BucketLimit {
  readonly tokens: number;
  readonly windowMs: number;
  /** Spreads requests: at most this many tokens at once, refilled at the rate of the window. */
  readonly burst?: number | undefined;
}

/** The state of a bucket, as `esi_buckets` stores it. All times are milliseconds since the epoch. */
export interface BucketState {
  /** [time, tokens, owner]: what a worker has spent by then, or a request has reserved until then. Oldest first. */
  slots: [number, number, string][];
  /** Nothing is reserved before `until`. */
  blocked?: { until: number; reason: string };
  /** The most urgent priority that waits for tokens. Less urgent requests of all workers wait meanwhile. */
  waiting?: { priority: number; until: number };
  /** A stricter limit than the shipped one, from ESI's headers. */
  stricterLimit?: BucketLimit;
  /** The limit in force at the last transaction, for display. */
  limit?: BucketLimit;
  /** When the burst is full again. */
  burstFullAt?: number;
}

/** A state as any version has stored it. Earlier ones had leases of workers and the usage of others in fields of their own. */
export interface StoredState extends Partial<BucketState> {
  leases?: Record<string, { tokens: number; until: number }>;
  externalUsage?: number;
  externalUsageAt?: number;
}

/** Why a bucket has no tokens, and the milliseconds after which to try again. */
export interface Shortage {
  readonly bucket: string;
  readonly retryMs: number;
  readonly reason: string;
}

/**
 * The latest moment at which ESI can count a request, after its reservation: it is sent within 5 s, connects within 5 s
 * and is answered within 15 s. The rest is for timers that fire late.
 */
const REQUEST_LIFETIME = 30_000;

/** 180 slots of 5 s in fifteen minutes keep the state small and cost half a slot of precision. */
const SLOTS_PER_WINDOW = 180;

/** Requests in flight end several times a second, so what they did not use is free about then. */
const RESERVATION_RETRY = 250;

/** A request that waits tries again every second, so one that did not for this long waits no more. */
const WAITING_MS = 2_000;

/** The owner of tokens that other clients on this IP address spent, by ESI's own count. */
export const OTHERS = 'other clients';

/** Whether a slot is owned by a request, `worker#number`, and not by a worker. */
export const isReserved = ([, , owner]: BucketState['slots'][number]) => owner.includes('#');

/** Whether a limit allows less than another, at once or in the long run. */
function isStricter(a: BucketLimit, b: BucketLimit): boolean {
  return a.tokens < b.tokens || a.tokens / a.windowMs < b.tokens / b.windowMs;
}

/**
 * A token bucket at one moment. Tokens are reserved before a request is sent, as usage at the latest moment at which ESI
 * can count it; its end re-dates them. So no window of ESI's holds more than its limit, and what a process leaves
 * behind when it dies leaves the window by itself.
 */
export class TokenBucket {
  readonly name: string;
  readonly state: BucketState;
  private readonly shipped: BucketLimit;
  private readonly now: number;

  /** `shipped` is the limit of this release or of the settings. */
  constructor(name: string, stored: StoredState = {}, shipped: BucketLimit, now: number) {
    this.name = name;
    const { leases = {}, externalUsage = 0, externalUsageAt = 0, ...state } = stored;
    this.state = { slots: [], ...state };
    this.shipped = shipped;
    this.now = now;
    for (const [worker, { tokens, until }] of Object.entries(leases)) this.addUsage(until, tokens, worker);
    this.addUsage(externalUsageAt, externalUsage, OTHERS);
    this.expire();
    // A burst starts empty, so that deleted buckets do not add up to bursts.
    if (shipped.burst !== undefined) this.state.burstFullAt ??= now + this.refillMs(shipped.burst);
  }

  /** The limit in force: the shipped one, or ESI's own where that is stricter. */
  get limit(): BucketLimit {
    const { stricterLimit } = this.state;
    if (!stricterLimit || !isStricter(stricterLimit, this.shipped)) return this.shipped;
    return { ...this.shipped, ...stricterLimit };
  }

  get free(): number {
    return this.state.slots.reduce((free, [, tokens]) => free - tokens, this.limit.tokens);
  }

  /**
   * What a request of this priority lacks; undefined when its tokens can be reserved. Less urgent requests of all workers
   * then wait until it has got them, or no longer tries.
   */
  shortage(tokens: number, priority: number): Shortage | undefined {
    const { blocked, waiting, burstFullAt = 0 } = this.state;
    if (blocked) return this.retryIn(blocked.until - this.now, blocked.reason);
    if (waiting && waiting.priority < priority)
      return this.retryIn(RESERVATION_RETRY, 'more urgent requests are waiting');
    const refilledAt = burstFullAt - this.refillMs((this.shipped.burst ?? 0) - tokens);
    const isBurst = burstFullAt > 0 && refilledAt > this.now;
    if (tokens <= this.free && !isBurst) return undefined;
    this.state.waiting = { priority, until: this.now + WAITING_MS };
    if (tokens > this.free) return this.untilFree();
    return this.retryIn(Math.ceil(refilledAt - this.now), 'requests are spread over the minute');
  }

  /** Reserves the worst cost of the request `id`. */
  reserve(id: string, tokens: number, priority: number): void {
    this.addUsage(this.now + REQUEST_LIFETIME, tokens, id);
    this.takeFromBurst(tokens);
    if (this.state.waiting && this.state.waiting.priority >= priority) delete this.state.waiting;
  }

  /** Replaces the reservation of a request by what it cost `agoMs` ago. No effect where nothing is reserved for it. */
  complete(id: string, cost: number, agoMs: number): void {
    const reserved = this.remove(id);
    if (reserved === 0) return;
    this.takeFromBurst(cost - reserved);
    this.addUsage(this.now - agoMs, cost, id.slice(0, id.indexOf('#')));
  }

  /** Adopts ESI's own limit where it is stricter than the shipped one. A laxer one only ends an earlier stricter one. */
  adoptLimit(limit: BucketLimit): void {
    if (isStricter(limit, this.shipped)) this.state.stricterLimit = limit;
    else delete this.state.stricterLimit;
    this.expire();
  }

  /** Adopts ESI's own count of the tokens left. ESI may have counted requests in flight, so they are nobody else's. */
  adoptRemaining(remaining: number): void {
    this.remove(OTHERS);
    this.addUsage(this.now, this.free - remaining, OTHERS);
  }

  block(forMs: number, reason: string): void {
    const until = this.now + forMs;
    if (until > (this.state.blocked?.until ?? this.now)) this.state.blocked = { until, reason };
  }

  private addUsage(at: number, tokens: number, owner: string): void {
    if (tokens <= 0) return;
    const { slots } = this.state;
    const width = Math.max(1, Math.floor(this.limit.windowMs / SLOTS_PER_WINDOW));
    const end = Math.ceil(at / width) * width; // its end: never free again earlier than at ESI
    const slot = slots.find(([slotEnd, , other]) => slotEnd === end && other === owner);
    if (slot) slot[1] += tokens;
    else slots.push([end, tokens, owner]);
    slots.sort((a, b) => a[0] - b[0]);
  }

  /** Removes the slot of an owner that has one. Returns its tokens. */
  private remove(owner: string): number {
    const index = this.state.slots.findIndex(([, , other]) => other === owner);
    return index < 0 ? 0 : this.state.slots.splice(index, 1)[0]![1];
  }

  private takeFromBurst(tokens: number): void {
    const { burstFullAt } = this.state;
    if (burstFullAt !== undefined)
      this.state.burstFullAt = Math.max(this.now, burstFullAt) + this.refillMs(tokens);
  }

  private refillMs(tokens: number): number {
    return (tokens * this.limit.windowMs) / this.limit.tokens;
  }

  /** Drops what has left the window or has ended. */
  private expire(): void {
    const { state, now, limit } = this;
    state.limit = { tokens: limit.tokens, windowMs: limit.windowMs };
    state.slots = state.slots.filter(([at]) => at > now - limit.windowMs);
    if (state.blocked && state.blocked.until <= now) delete state.blocked;
    if (state.waiting && state.waiting.until <= now) delete state.waiting;
  }

  private retryIn(retryMs: number, reason: string): Shortage {
    return { bucket: this.name, retryMs, reason };
  }

  /** The shortage until the first usage may end. */
  private untilFree(): Shortage {
    const { now, limit } = this;
    const { slots } = this.state;
    const size = `${limit.tokens.toLocaleString('en')} tokens in ${Math.round(limit.windowMs / 1_000)} s`;
    if (slots.some((slot) => isReserved(slot) && slot[0] > now))
      return this.retryIn(RESERVATION_RETRY, `requests in flight may use the rest of ${size}`);
    const [oldest = now, tokens = 0, owner] = slots[0] ?? [];
    const others = `another client on this IP address uses ${tokens.toLocaleString('en')} of ${size}`;
    return this.retryIn(oldest + limit.windowMs - now, owner === OTHERS ? others : `all ${size} are used`);
  }
}
