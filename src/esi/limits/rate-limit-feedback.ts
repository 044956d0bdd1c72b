import { type Headers, numberHeader, retryAfter } from '../classify-status.ts';
import type { Charge } from './charges.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { BucketSync } from '../../lib/token-bucket.ts';

export type { Headers };

export type RateLimitFeedback = Pick<BucketSync, 'remaining' | 'limit' | 'hold'>;

/** The old error limit counts 100 errors a minute for the whole address; with this many left, its routes rest. */
const ERRORS_IN_RESERVE = 25;

/** `150/15m` as tokens and window; undefined when it is missing or nonsense. */
export function readLimit(text: string | undefined): { tokens: number; windowMs: number } | undefined {
  const match = /^(\d{1,7})\/(\d{1,4}[smh])$/.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const tokens = Number(match[1]);
  const windowMs = parseDuration(match[2]!)!;
  return tokens > 0 && windowMs > 0 ? { tokens, windowMs } : undefined;
}

/**
 * What an answer says of the buckets that its request drew on. Wrong headers say nothing: a remainder above the limit,
 * a limit that cannot be read, a wait of more than an hour.
 */
export function readFeedback(
  draws: readonly Charge[],
  status: number | undefined,
  headers: Headers,
): { bucket: string; news: RateLimitFeedback }[] {
  const [first] = draws;
  if (!first) return [];
  const found: { bucket: string; news: RateLimitFeedback }[] = [];
  const raw = headers['x-ratelimit-limit'];
  const limit = readLimit(Array.isArray(raw) ? raw[0] : raw);
  const remaining = numberHeader(headers, 'x-ratelimit-remaining');
  const grouped = first.bucket !== 'errors';
  if (grouped && limit) {
    const counted = remaining !== undefined && remaining <= limit.tokens ? { remaining } : {};
    found.push({ bucket: first.bucket, news: { limit, ...counted } });
  }
  if (status === 429) {
    const hold = { forMs: retryAfter(headers, 'retry-after'), why: 'ESI says this is too fast (429)' };
    // Without a bucket it is a limiter of its own, in the game server: the hidden limit's bucket when there is one.
    const bucket = grouped
      ? first.bucket
      : (draws.find((d) => d.bucket.startsWith('hidden '))?.bucket ?? 'errors');
    found.push({ bucket, news: { hold } });
  }
  if (status === 420) {
    const hold = {
      forMs: retryAfter(headers, 'x-esi-error-limit-reset'),
      why: 'ESI has had too many errors from this address (420)',
    };
    found.push({ bucket: 'ceiling', news: { hold } });
  }
  const left = numberHeader(headers, 'x-esi-error-limit-remain');
  if (!grouped && left !== undefined && left < ERRORS_IN_RESERVE) {
    const hold = {
      forMs: retryAfter(headers, 'x-esi-error-limit-reset'),
      why: `only ${left} errors are left of ESI's hundred a minute`,
    };
    found.push({ bucket: 'errors', news: { hold } });
  }
  return found;
}
