import { TokenBucket } from 'limiter';
import { MINUTE } from '../../lib/duration.ts';

/**
 * Limits the requests of this process: at most `perMinute` in any minute, and at most `burst` at once. The bucket of
 * `limiter` spreads them. A full bucket plus the refill of a minute would exceed the minute, so the requests sent in the
 * last minute are counted as well. The bucket starts empty, so that restarts do not add up to bursts.
 */
export class Throttle {
  private readonly bucket: TokenBucket;
  private readonly perMinute: number;
  /** Times at which requests of the last minute were sent, oldest first, from index `head` on. */
  private sent: number[] = [];
  private head = 0;

  constructor({ perMinute, burst }: { perMinute: number; burst: number }) {
    this.perMinute = perMinute;
    this.bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: perMinute, interval: 'minute' });
  }

  /** Takes one request. Returns 0, or the milliseconds after which to try again. */
  take(): number {
    const now = performance.now(); // monotonic, as the clock of the bucket
    while ((this.sent[this.head] ?? Infinity) <= now - MINUTE) this.head++;
    if (this.head > this.perMinute) {
      this.sent = this.sent.slice(this.head);
      this.head = 0;
    }
    if (this.sent.length - this.head >= this.perMinute) return (this.sent[this.head] ?? now) + MINUTE - now;
    if (!this.bucket.tryRemoveTokens(1)) return Math.max(1, this.bucket.getWaitTime(1));
    this.sent.push(now);
    return 0;
  }
}
