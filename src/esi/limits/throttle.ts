import { TokenBucket } from 'limiter';
import { MINUTE } from '../../lib/duration.ts';

/**
 * Our own ceiling: at most `perMinute` requests in any minute, wherever it is laid, and at most `burst` at once.
 * `limiter`'s bucket spreads them; since a full bucket on top of a minute's drip would exceed the minute, the sent
 * requests of the last minute are counted too. The bucket starts empty, so restarts do not add up to bursts.
 */
export class Throttle {
  private readonly bucket: TokenBucket;
  private readonly perMinute: number;
  /** Send times of the last minute, oldest first, from `head` on. */
  private sent: number[] = [];
  private head = 0;

  constructor(options: { perMinute: number; burst: number }) {
    this.perMinute = options.perMinute;
    this.bucket = new TokenBucket({
      bucketSize: options.burst,
      tokensPerInterval: options.perMinute,
      interval: 'minute',
    });
  }

  /** Takes one request; returns 0, or the milliseconds after which to ask again. */
  take(): number {
    const now = performance.now(); // monotonic, as the bucket's own clock
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
