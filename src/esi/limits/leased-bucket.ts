import type { BucketLimit, BucketSync, Grant } from '../../lib/token-bucket.ts';

/** A lease is used up to here, and no further: a margin before others take it as spent. */
const USABLE_MS = 10_000;

/** Spending is told, unused tokens given back and leases renewed after so long. */
const REPORT_AFTER = 400;

/** What this process holds of a bucket: granted tokens, tokens that requests under way may cost, and unreported spending. */
export class LeasedBucket {
  readonly bucket: string;
  readonly limit: BucketLimit;
  /** What one request may cost at worst. */
  readonly unit: number;
  /** Tokens that waiting requests may cost at worst. */
  wanted = 0;
  retryAt = 0;
  why = '';
  private tradedAt = 0;
  private pool = 0;
  private usableUntil = 0;
  private inFlight = 0;
  private spent: [at: number, tokens: number][] = [];
  private heldUntil = 0;
  /** A hold that the ledger has not heard of. */
  private untoldHold = false;
  private news: Pick<BucketSync, 'remaining' | 'limit'> = {};

  constructor(bucket: string, limit: BucketLimit, unit: number) {
    this.bucket = bucket;
    this.limit = limit;
    this.unit = unit;
  }

  /** Whether `worst` tokens are at hand now. */
  has(worst: number, now: number): boolean {
    return this.pool >= worst && now < this.usableUntil && now >= this.heldUntil;
  }

  take(worst: number): void {
    this.pool -= worst;
    this.inFlight += worst;
  }

  /** A request has ended: `cost` of its `worst` is spent, the rest is at hand again. */
  settle(worst: number, cost: number, now: number): void {
    this.inFlight -= worst;
    this.pool += worst - cost;
    if (cost > 0) this.spent.push([now, cost]);
  }

  /** What an answer's headers say. A hold stops the requests that wait here at once; others learn of it by the ledger. */
  hear({ hold, ...news }: Pick<BucketSync, 'remaining' | 'limit' | 'hold'>, now: number): void {
    this.news = { ...this.news, ...news };
    if (!hold || now + hold.forMs <= this.heldUntil) return;
    this.heldUntil = now + hold.forMs;
    this.retryAt = Math.max(this.retryAt, this.heldUntil);
    this.why = hold.why;
    this.untoldHold = true;
  }

  /** Something is under way or untold: the ledger has to hear of it soon. */
  get busy(): boolean {
    return this.inFlight > 0 || this.spent.length > 0 || this.pool > 0 || this.untoldHold;
  }

  get isEmpty(): boolean {
    return !this.busy && this.wanted === 0 && this.retryAt === 0;
  }

  /** Whether an exchange is worth it now: tokens are wanted and may be had, a hold is to be told, or a report is due. */
  hasBusiness(now: number): boolean {
    if (this.untoldHold) return true;
    if (this.wanted > this.pool && this.retryAt <= now) return true;
    return this.busy && now - this.tradedAt >= REPORT_AFTER;
  }

  /** Draws up the next exchange; what it reports is forgotten here, and comes back by `restore` if it fails. */
  draft(worker: string, now: number): { ask: BucketSync; restore: () => void } {
    const { spent, news, untoldHold, unit } = this;
    const left = this.heldUntil - now;
    const hold = untoldHold && left > 0 ? { hold: { forMs: left, why: this.why } } : {};
    const merged = new Map<number, number>();
    for (const [at, tokens] of spent) merged.set(now - at, (merged.get(now - at) ?? 0) + tokens);
    const { inFlight, wanted: want } = this;
    const ask = { worker, spent: [...merged], inFlight, want, unit, ...news, ...hold };
    this.spent = [];
    this.news = {};
    this.untoldHold = false;
    this.pool = 0; // given back with the exchange, and granted anew as far as it is wanted
    return {
      ask,
      restore: () => {
        this.spent = [...spent, ...this.spent];
        this.news = { ...news, ...this.news };
        this.untoldHold ||= untoldHold;
      },
    };
  }

  receive(grant: Grant, askedAt: number): void {
    this.tradedAt = askedAt;
    this.pool += grant.tokens;
    this.usableUntil = askedAt + USABLE_MS;
    this.retryAt = Math.max(
      this.heldUntil > askedAt ? this.heldUntil : 0,
      grant.retryMs > 0 ? askedAt + grant.retryMs : 0,
    );
    if (grant.retryMs > 0) this.why = grant.why;
  }
}
