import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Admission, AdmitRequest, RateLimiter } from './admission.ts';
import { type ThrottleSettings, type Charge, chargesFor, type StricterLimit } from './charges.ts';
import { EsiError } from '../esi-error.ts';
import { type Headers, readFeedback } from './rate-limit-feedback.ts';
import type { RateLimitStore } from '../../lib/token-bucket.ts';
import { LeasedBucket } from './leased-bucket.ts';
import { RequestQueue } from './request-queue.ts';

export interface RateLimiterOptions {
  readonly store: RateLimitStore;
  /** Distinguishes processes in the ledger. */
  readonly worker: string;
  readonly ceiling: ThrottleSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Stricter limits that ESI's own description gave, by route. */
  readonly stricter?: () => ReadonlyMap<string, StricterLimit>;
  /** Paces this process besides: 0, or the milliseconds after which to ask again. */
  readonly pacer?: { take(): number };
}

/** Waits up to this are sat out; longer ones go back to the caller, who holds no slot meanwhile. */
const PATIENCE = 20_000;
/** Requests that one exchange asks for: two seconds of the fastest reading seen. */
const ASKED_AT_ONCE = 200;
/** Spending is told after so long at the latest, so that the ledger and other workers know. */
const REPORT_EVERY = 500;
/** The longest nap: a pause, a hold lifted early or another's return are seen then, and a sign of life is given. */
const NAP = 1_000;
/** A ledger that cannot be reached or makes no sense is asked again after this; until then nothing leaves. */
const LEDGER_RETRY = 1_000;

/**
 * Admits requests against the shared ledger. Leases tokens in batches, so that a request costs no round trip; hands them
 * out by priority, and lets requests of other buckets pass one whose bucket is empty.
 */
export class SharedRateLimiter implements RateLimiter {
  private readonly options: RateLimiterOptions;
  private readonly purses = new Map<string, LeasedBucket>();
  private readonly line = new RequestQueue();
  private running: Promise<void> | undefined;
  private reportTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: RateLimiterOptions) {
    this.options = options;
  }

  async admit(request: AdmitRequest): Promise<Admission> {
    request.signal?.throwIfAborted();
    const { route, user = 'ip', priority = 3 } = request;
    const draws = chargesFor(
      route,
      user,
      priority,
      this.options.ceiling,
      this.options.stricter?.().get(route),
    );
    const turn = this.line.join(request, draws, priority);
    this.start();
    await turn;
    let open = true;
    const once = (end: () => void) => {
      if (open) end();
      open = false;
    };
    return {
      settle: (status, headers = {}) => once(() => this.settle(draws, status, headers)),
      cancel: () => once(() => this.giveBack(draws)),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.reportTimer);
    await this.running;
    await this.trade([...this.purses.values()]).catch(() => undefined); // a lease that is not given back runs out
  }

  private settle(draws: readonly Charge[], status: number | undefined, headers: Headers): void {
    const now = this.options.clock.now();
    for (const { bucket, worst, cost } of draws) this.purse(bucket).settle(worst, cost(status), now);
    for (const { bucket, news } of readFeedback(draws, status, headers)) {
      this.purse(bucket).hear(news, now);
    }
    this.reportLater();
  }

  private giveBack(draws: readonly Charge[]): void {
    for (const { bucket, worst } of draws) this.purse(bucket).settle(worst, 0, this.options.clock.now());
    this.reportLater();
  }

  private report(): void {
    this.reportTimer = undefined;
    this.start();
    this.reportLater();
  }

  private reportLater(): void {
    const busy = [...this.purses.values()].some((purse) => purse.busy);
    if (busy && !this.closed) this.reportTimer ??= setTimeout(() => this.report(), REPORT_EVERY).unref();
  }

  private purse(bucket: string): LeasedBucket {
    const purse = this.purses.get(bucket);
    if (!purse) throw new Error(`no purse for ${bucket}`);
    return purse;
  }

  private start(): void {
    this.running ??= this.work()
      .catch((error: unknown) => {
        this.options.log.error({ error: describeError(error) }, 'the budget stumbled');
        return this.options.clock.sleep(LEDGER_RETRY);
      })
      .finally(() => {
        this.running = undefined;
        if (!this.line.isEmpty) this.start();
      });
  }

  /** Serves those who wait until nobody does: hands out what is at hand, trades for more, naps when there is none. */
  private async work(): Promise<void> {
    do {
      const nap = this.serve();
      const purses = [...this.purses.values()].filter((purse) => purse.hasBusiness(this.options.clock.now()));
      if (purses.length > 0) {
        const ok = await this.trade(purses);
        if (!ok) await this.nap(LEDGER_RETRY);
      } else if (!this.line.isEmpty) {
        await this.nap(Math.max(1, Math.min(nap, NAP)));
      }
      this.sendAwayPatientless();
    } while (!this.line.isEmpty);
    this.reportLater(); // what those who left did not use is given back
  }

  private async nap(ms: number): Promise<void> {
    this.line.giveSignsOfLife();
    await this.options.clock.sleep(ms);
  }

  /** Lets go whoever can be served, and reckons what the others need. Returns ms until a purse may be asked again. */
  private serve(): number {
    const now = this.options.clock.now();
    for (const purse of this.purses.values()) purse.wanted = 0;
    let nap = NAP;
    let asked = 0;
    this.line.keep((waiter) => {
      const purses = waiter.draws.map((draw) => ({ draw, purse: this.purseFor(draw) }));
      const closed = purses.filter(({ draw, purse }) => !purse.has(draw.worst, now));
      const pace = closed.length === 0 ? (this.options.pacer?.take() ?? 0) : 0;
      if (closed.length === 0 && pace === 0) {
        for (const { draw, purse } of purses) purse.take(draw.worst);
        waiter.admit();
        return false;
      }
      const times = closed.map(({ purse }) => purse.retryAt).filter((at) => at > now);
      if (pace > 0) nap = Math.min(nap, pace);
      else if (times.length > 0) nap = Math.min(nap, ...times.map((at) => at - now));
      else if (asked++ < ASKED_AT_ONCE) for (const { draw, purse } of purses) purse.wanted += draw.worst;
      return true;
    });
    return nap;
  }

  private purseFor({ bucket, limit, worst }: Charge): LeasedBucket {
    const known = this.purses.get(bucket);
    if (known) return known;
    const purse = new LeasedBucket(bucket, limit, worst);
    this.purses.set(bucket, purse);
    return purse;
  }

  /** One exchange with the ledger for all these purses. False when the ledger could not be reached. */
  private async trade(purses: readonly LeasedBucket[]): Promise<boolean> {
    const { store, worker, clock, log } = this.options;
    const askedAt = clock.now();
    const drafts = purses.map((purse) => ({ purse, ...purse.draft(worker, askedAt) }));
    try {
      const grants = await store.exchange(
        drafts.map(({ purse, ask }) => ({ bucket: purse.bucket, limit: purse.limit, exchange: ask })),
      );
      drafts.forEach(({ purse }, i) => purse.receive(grants[i]!, askedAt));
      for (const [bucket, purse] of this.purses) if (purse.isEmpty) this.purses.delete(bucket);
      return true;
    } catch (error) {
      for (const { restore } of drafts) restore();
      log.warn(
        { error: describeError(error) },
        'the ledger of budgets cannot be reached; nothing is sent meanwhile',
      );
      return false;
    }
  }

  /** Long waits go back: the caller gives its slot away and comes again. */
  private sendAwayPatientless(): void {
    const now = this.options.clock.now();
    this.line.keep((waiter) => {
      const closed = waiter.draws
        .map((draw) => this.purseFor(draw))
        .filter((purse, i) => !purse.has(waiter.draws[i]!.worst, now));
      const worst = closed.toSorted((a, b) => b.retryAt - a.retryAt)[0];
      if (worst === undefined || worst.retryAt - now <= PATIENCE) return true;
      waiter.refuse(longWait(worst, now));
      return false;
    });
  }
}

function longWait(purse: LeasedBucket, now: number): EsiError {
  const retryAfter = purse.retryAt - now;
  const until = new Date(purse.retryAt).toISOString().slice(11, 19);
  return new EsiError(`Waits until ${until} UTC (${purse.bucket}): ${purse.why}.`, {
    code: 'ESI_WAIT',
    verdict: 'wait',
    retryAfter,
  });
}
