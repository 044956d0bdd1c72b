import { TokenBucket as Pacer } from 'limiter';
import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { EsiError } from '../esi-error.ts';
import { NORMAL_PRIORITY } from '../facts/priorities.ts';
import { type Admission, type AdmitRequest, CONNECTIONS, type RateLimiter } from './admission.ts';
import { chargesFor, type StricterLimit, type ThrottleSettings } from './charges.ts';
import { type ChargedRequest, type EndedRequest, exchange } from './exchange.ts';
import type { Shortage, StoredState } from './token-bucket.ts';

/** Stores the buckets that all workers share. */
export interface BucketStore {
  /** Lets `change` replace the states of these buckets, atomically, at the store's time (ms). New ones are empty. */
  update<T>(
    buckets: readonly string[],
    change: (states: Map<string, StoredState>, now: number) => T,
  ): Promise<T>;
}

export interface RateLimiterOptions {
  readonly store: BucketStore;
  /** Identifies this process in the store. */
  readonly worker: string;
  /** Our own limit on all requests, shared by all workers. */
  readonly throttle: ThrottleSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Stricter limits from ESI's description, by route. */
  readonly stricter?: () => ReadonlyMap<string, StricterLimit>;
  /** Transactions of this process, in real time. Requests gather meanwhile. Default: not limited. */
  readonly transactionsPerSecond?: number;
}

/** A request that is not admitted yet. */
interface WaitingRequest extends ChargedRequest {
  readonly heartbeat: (() => void) | undefined;
  /** When to try again (ms). */
  retryAt: number;
  admit(): void;
  reject(error: unknown): void;
}

type Ended = Omit<EndedRequest, 'agoMs'>;

/** Shorter waits are waited out. For longer ones the caller gets an error, so that it holds no activity slot meanwhile. */
const MAX_WAIT = 20_000;
/** Waiting requests try again after this time at the latest, so that less urgent ones of other workers go on waiting. */
const MAX_RETRY = 1_000;
/** The shortest wait, so that a busy queue does not become a busy loop. */
const MIN_RETRY = 25;
/** A store that is unreachable or fails is tried again after this time. Nothing is sent meanwhile. */
const STORE_RETRY = 1_000;
/** A reservation that took longer is made again, because the lifetime of a request begins with it. */
const MAX_TRANSACTION = 5_000;

/**
 * Rate limiter on a store that all workers share. The waiting requests of a process are reserved by priority in one
 * transaction, which also reports what earlier ones cost; only those are reserved that are about to be sent. A request
 * whose bucket is empty does not block requests of other buckets.
 */
export class SharedRateLimiter implements RateLimiter {
  private readonly options: RateLimiterOptions;
  private readonly pacer: Pacer | undefined;
  /** In order of arrival. */
  private readonly queue = new Set<WaitingRequest>();
  private ended: readonly (Ended & { at: number })[] = [];
  private inFlight = 0;
  private lastId = 0;
  private running: Promise<void> | undefined;
  private wake = new AbortController();
  private isClosed = false;

  constructor(options: RateLimiterOptions) {
    this.options = options;
    const { transactionsPerSecond: rate } = options;
    if (rate) this.pacer = new Pacer({ bucketSize: 1, tokensPerInterval: rate, interval: 'second' });
  }

  async admit(request: AdmitRequest): Promise<Admission> {
    request.signal?.throwIfAborted();
    const { route, user = 'ip', priority = NORMAL_PRIORITY } = request;
    const { throttle, stricter, worker } = this.options;
    const charges = chargesFor(route, user, throttle, stricter?.().get(route));
    const charged = { id: `${worker}#${++this.lastId}`, charges, priority };
    await this.enqueue(charged, request);
    let isOpen = true;
    const end = (ended: Ended) => {
      if (!isOpen) return;
      isOpen = false;
      this.inFlight--;
      this.end(ended);
    };
    return {
      complete: (status, headers) => end({ ...charged, isSent: true, status, headers }),
      cancel: () => end({ ...charged, isSent: false }),
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.running;
    if (this.ended.length > 0) await this.exchange();
  }

  /** Resolves when the request is admitted. Rejects when it is rejected, or with the reason of its signal. */
  private async enqueue(charged: ChargedRequest, { signal, heartbeat }: AdmitRequest): Promise<void> {
    let onAbort!: () => void;
    try {
      await new Promise<void>((admit, reject) => {
        const waiting: WaitingRequest = { ...charged, heartbeat, retryAt: 0, admit, reject };
        onAbort = () => this.reject(waiting, signal?.reason);
        signal?.addEventListener('abort', onAbort, { once: true });
        this.queue.add(waiting);
        this.start();
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private reject(waiting: WaitingRequest, error: unknown): void {
    if (!this.queue.delete(waiting)) return; // it is admitted
    waiting.reject(error);
    this.end({ ...waiting, isSent: false }); // a transaction under way may reserve its tokens
  }

  private end(ended: Ended): void {
    this.ended = [...this.ended, { ...ended, at: this.options.clock.now() }];
    this.start();
  }

  private get hasWork(): boolean {
    return this.ended.length > 0 || (this.queue.size > 0 && this.inFlight < CONNECTIONS);
  }

  private start(): void {
    this.wake.abort();
    if (!this.hasWork) return;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      if (!this.isClosed) this.start();
    });
  }

  /** Reports ended requests and admits waiting ones until none is left, or as many as can be sent at once are in flight. */
  private async run(): Promise<void> {
    const { clock } = this.options;
    await Promise.resolve(); // requests of the same moment go together
    while (this.hasWork) {
      const retryMs = Math.min(...[...this.queue].map(({ retryAt }) => retryAt)) - clock.now();
      if (this.ended.length === 0 && retryMs > 0) await this.sleep(retryMs);
      else if (this.pacer?.tryRemoveTokens(1) === false) await clock.sleep(this.pacer.getWaitTime(1));
      else if (!(await this.exchange())) {
        if (this.isClosed) return; // what is not reported counts at worst cost
        this.sendHeartbeats();
        await clock.sleep(STORE_RETRY);
      }
    }
  }

  /** Sleeps until the next try, or until a request arrives or ends. */
  private async sleep(ms: number): Promise<void> {
    this.wake = new AbortController();
    this.sendHeartbeats();
    await this.options.clock.sleep(ms, this.wake.signal).catch(() => undefined);
  }

  /** A request whose heartbeat throws is rejected with that error; the others wait on. */
  private sendHeartbeats(): void {
    for (const waiting of this.queue) {
      try {
        waiting.heartbeat?.();
      } catch (error) {
        this.reject(waiting, error);
      }
    }
  }

  /**
   * Reports the ended requests and tries to reserve the waiting ones. Returns false when the store cannot be reached. The
   * next time repeats everything, which has no effect where it was stored.
   */
  private async exchange(): Promise<boolean> {
    const { store, clock, log } = this.options;
    const queue = [...this.queue].toSorted((a, b) => a.priority - b.priority);
    const { ended } = this;
    // Twice as many as ended go ahead to wait for a connection: about as many end while requests gather, and while the
    // transaction runs.
    const atOnce = CONNECTIONS + 2 * ended.length;
    const sentAt = clock.now();
    const report = ended.map((request) => ({ ...request, agoMs: sentAt - request.at }));
    const charges = [...ended, ...queue].flatMap((request) => request.charges);
    const buckets = [...new Set(charges.map(({ bucket }) => bucket))];
    this.ended = [];
    try {
      const outcomes = await store.update(buckets, (states, now) =>
        exchange(states, now, report, queue, atOnce - this.inFlight),
      );
      const isUsable = clock.now() - sentAt <= MAX_TRANSACTION;
      queue.forEach((waiting, i) => {
        const outcome = outcomes[i];
        if (typeof outcome === 'object') this.retryLater(waiting, outcome, sentAt);
        if (outcome !== 'reserved' || !isUsable || !this.queue.delete(waiting)) return; // aborted meanwhile
        this.inFlight++;
        waiting.admit();
      });
      return true;
    } catch (error) {
      this.ended = [...ended, ...this.ended];
      log.warn(
        { error: describeError(error) },
        'the rate limits cannot be read from the database; no requests are sent to ESI until they can',
      );
      return false;
    }
  }

  /** A request that would wait too long is rejected: the caller gives up its activity slot and tries again later. */
  private retryLater(waiting: WaitingRequest, { bucket, retryMs, reason }: Shortage, now: number): void {
    waiting.retryAt = now + Math.min(MAX_RETRY, Math.max(MIN_RETRY, retryMs));
    if (retryMs <= MAX_WAIT) return;
    const time = new Date(now + retryMs).toISOString().slice(11, 19);
    const details = { code: 'ESI_WAIT', verdict: 'wait', retryAfter: retryMs } as const;
    this.reject(waiting, new EsiError(`Waiting until ${time} UTC for ${bucket}: ${reason}.`, details));
  }
}
