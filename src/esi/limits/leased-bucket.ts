import type { BucketLimit, BucketSync, Grant } from '../../lib/token-bucket.ts';
import type { RateLimitFeedback } from './rate-limit-feedback.ts';

/** A lease is used for this long only, which leaves a margin before others count it as spent. */
const USABLE_MS = 10_000;

/** After this time usage is reported, unused tokens are returned and leases renewed. */
const REPORT_AFTER = 400;

/** This process's lease of a bucket: tokens at hand, tokens of requests in flight, and usage not reported yet. */
export class LeasedBucket {
  readonly bucket: string;
  readonly limit: BucketLimit;
  /** The worst cost of one request. */
  readonly unit: number;
  /** The worst cost of all waiting requests. */
  wanted = 0;
  /** When more tokens can be granted (ms). */
  retryAt = 0;
  /** Why there are no tokens. */
  reason = '';
  private syncedAt = 0;
  private available = 0;
  private usableUntil = 0;
  private inFlight = 0;
  private unreported: [at: number, tokens: number][] = [];
  private blockedUntil = 0;
  private hasUnreportedBlock = false;
  private feedback: Omit<RateLimitFeedback, 'block'> = {};

  constructor(bucket: string, limit: BucketLimit, unit: number) {
    this.bucket = bucket;
    this.limit = limit;
    this.unit = unit;
  }

  /** Whether `worst` tokens can be reserved now. */
  has(worst: number, now: number): boolean {
    return this.available >= worst && now < this.usableUntil && now >= this.blockedUntil;
  }

  reserve(worst: number): void {
    this.available -= worst;
    this.inFlight += worst;
  }

  /** Ends a request: `cost` of its reserved `worst` tokens is spent, the rest is available again. */
  complete(worst: number, cost: number, now: number): void {
    this.inFlight -= worst;
    this.available += worst - cost;
    if (cost > 0) this.unreported.push([now, cost]);
  }

  /** Applies an answer's headers. A block stops requests of this process at once, and others after the next sync. */
  applyFeedback({ block, ...counts }: RateLimitFeedback, now: number): void {
    this.feedback = { ...this.feedback, ...counts };
    if (!block || now + block.forMs <= this.blockedUntil) return;
    this.blockedUntil = now + block.forMs;
    this.retryAt = Math.max(this.retryAt, this.blockedUntil);
    this.reason = block.reason;
    this.hasUnreportedBlock = true;
  }

  /** Whether the store has to be synced soon: tokens are leased or in flight, or usage or a block is not reported. */
  get isActive(): boolean {
    return this.inFlight > 0 || this.unreported.length > 0 || this.available > 0 || this.hasUnreportedBlock;
  }

  get isEmpty(): boolean {
    return !this.isActive && this.wanted === 0 && this.retryAt === 0;
  }

  /** Whether a sync is due: a block is not reported, wanted tokens may be free, or usage has waited long enough. */
  needsSync(now: number): boolean {
    if (this.hasUnreportedBlock) return true;
    if (this.wanted > this.available && this.retryAt <= now) return true;
    return this.isActive && now - this.syncedAt >= REPORT_AFTER;
  }

  /** Prepares the next sync and clears what it reports. `restore` puts that back when the sync fails. */
  prepareSync(worker: string, now: number): { sync: BucketSync; restore: () => void } {
    const { unreported, feedback, hasUnreportedBlock } = this;
    const blockedFor = this.blockedUntil - now;
    const spent = new Map<number, number>();
    for (const [at, tokens] of unreported) spent.set(now - at, (spent.get(now - at) ?? 0) + tokens);
    const sync = {
      worker,
      spent: [...spent],
      inFlight: this.inFlight,
      want: this.wanted,
      unit: this.unit,
      ...feedback,
      block: hasUnreportedBlock && blockedFor > 0 ? { forMs: blockedFor, reason: this.reason } : undefined,
    };
    this.unreported = [];
    this.feedback = {};
    this.hasUnreportedBlock = false;
    this.available = 0; // returned by the sync, and granted again as far as it is wanted
    return {
      sync,
      restore: () => {
        this.unreported = [...unreported, ...this.unreported];
        this.feedback = { ...feedback, ...this.feedback };
        this.hasUnreportedBlock ||= hasUnreportedBlock;
      },
    };
  }

  /** Applies the answer to a sync that was sent at `sentAt`. */
  applyGrant(grant: Grant, sentAt: number): void {
    this.syncedAt = sentAt;
    this.available += grant.tokens;
    this.usableUntil = sentAt + USABLE_MS;
    this.retryAt = Math.max(
      this.blockedUntil > sentAt ? this.blockedUntil : 0,
      grant.retryMs > 0 ? sentAt + grant.retryMs : 0,
    );
    if (grant.retryMs > 0) this.reason = grant.reason;
  }
}
