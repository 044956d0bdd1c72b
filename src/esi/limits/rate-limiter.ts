import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { RateLimitStore } from '../../lib/token-bucket.ts';
import type { Headers } from '../classify-status.ts';
import { EsiError } from '../esi-error.ts';
import { NORMAL_PRIORITY } from '../facts/priorities.ts';
import type { Admission, AdmitRequest, RateLimiter } from './admission.ts';
import { type Charge, chargesFor, type StricterLimit, type ThrottleSettings } from './charges.ts';
import { LeasedBucket } from './leased-bucket.ts';
import { readFeedback } from './rate-limit-feedback.ts';
import { RequestQueue } from './request-queue.ts';

export interface RateLimiterOptions {
  readonly store: RateLimitStore;
  /** Identifies this process in the store. */
  readonly worker: string;
  /** Our own limit on all requests, shared by all workers. */
  readonly throttle: ThrottleSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Stricter limits from ESI's description, by route. */
  readonly stricter?: () => ReadonlyMap<string, StricterLimit>;
  /** Paces this process in addition: returns 0, or the milliseconds after which to try again. */
  readonly pacer?: { take(): number };
}

/** Shorter waits are waited out. For longer ones the caller gets an error, so that it holds no activity slot meanwhile. */
const MAX_WAIT = 20_000;
/** Requests that one sync wants tokens for: two seconds of the fastest reading measured. */
const MAX_WANTED = 200;
/** Usage is reported after this time at the latest, so that other workers know of it. */
const REPORT_EVERY = 500;
/** The longest sleep, after which blocks that ended early and returned leases are noticed, and heartbeats are sent. */
const MAX_SLEEP = 1_000;
/** A store that is unreachable or fails is tried again after this time. Nothing is sent meanwhile. */
const STORE_RETRY = 1_000;

/**
 * Rate limiter on a store that all workers share. Tokens are leased in batches, so that a request costs no round trip,
 * and given to requests by priority. A request whose bucket is empty does not block requests of other buckets.
 */
export class SharedRateLimiter implements RateLimiter {
  private readonly options: RateLimiterOptions;
  private readonly buckets = new Map<string, LeasedBucket>();
  private readonly queue = new RequestQueue();
  private running: Promise<void> | undefined;
  private reportTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: RateLimiterOptions) {
    this.options = options;
  }

  async admit(request: AdmitRequest): Promise<Admission> {
    request.signal?.throwIfAborted();
    const { route, user = 'ip', priority = NORMAL_PRIORITY } = request;
    const { throttle, stricter } = this.options;
    const charges = chargesFor(route, user, priority, throttle, stricter?.().get(route));
    const admitted = this.queue.enqueue(request, charges, priority);
    this.start();
    await admitted;
    let isOpen = true;
    const end = (cost: (charge: Charge) => number, status?: number, headers: Headers = {}) => {
      if (isOpen) this.complete(charges, cost, status, headers);
      isOpen = false;
    };
    return {
      complete: (status, headers) => end((charge) => charge.cost(status), status, headers),
      cancel: () => end(() => 0),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.reportTimer);
    await this.running;
    await this.sync([...this.buckets.values()]);
  }

  private complete(
    charges: readonly Charge[],
    cost: (charge: Charge) => number,
    status: number | undefined,
    headers: Headers,
  ): void {
    const now = this.options.clock.now();
    for (const charge of charges) this.bucketOf(charge).complete(charge.worst, cost(charge), now);
    for (const { bucket, feedback } of readFeedback(charges, status, headers))
      this.buckets.get(bucket)?.applyFeedback(feedback, now);
    this.reportLater();
  }

  private report(): void {
    this.reportTimer = undefined;
    this.start();
    this.reportLater();
  }

  private reportLater(): void {
    const isActive = [...this.buckets.values()].some((bucket) => bucket.isActive);
    if (isActive && !this.closed) this.reportTimer ??= setTimeout(() => this.report(), REPORT_EVERY).unref();
  }

  private start(): void {
    this.running ??= this.run()
      .catch((error: unknown) => {
        this.options.log.error({ error: describeError(error) }, 'the rate limiter failed and is restarted');
        return this.options.clock.sleep(STORE_RETRY);
      })
      .finally(() => {
        this.running = undefined;
        if (!this.queue.isEmpty) this.start();
      });
  }

  /** Admits queued requests until none is left: gives out the leased tokens, syncs for more, sleeps when there are none. */
  private async run(): Promise<void> {
    do {
      const sleep = this.admitQueued();
      const due = [...this.buckets.values()].filter((bucket) => bucket.needsSync(this.options.clock.now()));
      if (due.length > 0) {
        const isSynced = await this.sync(due);
        if (!isSynced) await this.sleep(STORE_RETRY);
      } else if (!this.queue.isEmpty) {
        await this.sleep(Math.max(1, Math.min(sleep, MAX_SLEEP)));
      }
      this.rejectLongWaits();
    } while (!this.queue.isEmpty);
    this.reportLater(); // returns what rejected and aborted requests did not use
  }

  private async sleep(ms: number): Promise<void> {
    this.queue.heartbeat();
    await this.options.clock.sleep(ms);
  }

  /** Admits the requests that have tokens and sums up what the others want. Returns the ms until more can be granted. */
  private admitQueued(): number {
    const now = this.options.clock.now();
    for (const bucket of this.buckets.values()) bucket.wanted = 0;
    let sleep = MAX_SLEEP;
    let wanted = 0;
    this.queue.retain((entry) => {
      const empty = this.emptyBuckets(entry.charges, now);
      const pace = empty.length === 0 ? (this.options.pacer?.take() ?? 0) : 0;
      if (empty.length === 0 && pace === 0) {
        for (const charge of entry.charges) this.bucketOf(charge).reserve(charge.worst);
        entry.admit();
        return false;
      }
      const waits = empty.map((bucket) => bucket.retryAt - now).filter((ms) => ms > 0);
      if (pace > 0) sleep = Math.min(sleep, pace);
      else if (waits.length > 0) sleep = Math.min(sleep, ...waits);
      else if (wanted++ < MAX_WANTED)
        for (const charge of entry.charges) this.bucketOf(charge).wanted += charge.worst;
      return true;
    });
    return sleep;
  }

  /** The buckets that cannot cover their charge now. */
  private emptyBuckets(charges: readonly Charge[], now: number): LeasedBucket[] {
    return charges
      .filter((charge) => !this.bucketOf(charge).has(charge.worst, now))
      .map((charge) => this.bucketOf(charge));
  }

  private bucketOf({ bucket, limit, worst }: Charge): LeasedBucket {
    const known = this.buckets.get(bucket);
    if (known) return known;
    const leased = new LeasedBucket(bucket, limit, worst);
    this.buckets.set(bucket, leased);
    return leased;
  }

  /** Syncs buckets with the store. Returns false when the store cannot be reached; leases then run out by themselves. */
  private async sync(buckets: readonly LeasedBucket[]): Promise<boolean> {
    const { store, worker, clock, log } = this.options;
    const sentAt = clock.now();
    const prepared = buckets.map((bucket) => ({ bucket, ...bucket.prepareSync(worker, sentAt) }));
    try {
      const grants = await store.sync(
        prepared.map(({ bucket, sync }) => ({ bucket: bucket.bucket, limit: bucket.limit, sync })),
      );
      prepared.forEach(({ bucket }, i) => bucket.applyGrant(grants[i]!, sentAt));
      for (const [name, bucket] of this.buckets) if (bucket.isEmpty) this.buckets.delete(name);
      return true;
    } catch (error) {
      for (const { restore } of prepared) restore();
      log.warn(
        { error: describeError(error) },
        'the rate limits cannot be read from the database; no requests are sent to ESI until they can',
      );
      return false;
    }
  }

  /** Rejects requests that would wait too long: the caller gives up its activity slot and tries again later. */
  private rejectLongWaits(): void {
    const now = this.options.clock.now();
    this.queue.retain((entry) => {
      const [last] = this.emptyBuckets(entry.charges, now).toSorted((a, b) => b.retryAt - a.retryAt);
      if (last === undefined || last.retryAt - now <= MAX_WAIT) return true;
      entry.reject(longWait(last, now));
      return false;
    });
  }
}

function longWait({ bucket, reason, retryAt }: LeasedBucket, now: number): EsiError {
  const until = new Date(retryAt).toISOString().slice(11, 19);
  return new EsiError(`Waiting until ${until} UTC for ${bucket}: ${reason}.`, {
    code: 'ESI_WAIT',
    verdict: 'wait',
    retryAfter: retryAt - now,
  });
}
