import { parseDuration } from '../../lib/duration.ts';
import type { BucketSync, WindowLimit } from '../../lib/token-bucket.ts';
import { header, type Headers, numberHeader, retryAfter } from '../classify-status.ts';
import { type Charge, ERROR_BUCKET, HIDDEN_LIMIT_PREFIX, THROTTLE_BUCKET } from './charges.ts';

/** What an answer reports about one bucket. */
export type RateLimitFeedback = Pick<BucketSync, 'remaining' | 'limit' | 'block'>;

/** The old error limit counts 100 errors a minute per IP address. With fewer left than this, its routes are blocked. */
const ERRORS_IN_RESERVE = 25;

/** Reads `150/15m` as tokens and window; undefined when it is missing or malformed. */
export function readLimit(text: string | undefined): WindowLimit | undefined {
  const match = /^(\d{1,7})\/(\d{1,4}[smh])$/.exec(text?.trim() ?? '');
  const tokens = Number(match?.[1] ?? 0);
  const windowMs = parseDuration(match?.[2] ?? '') ?? 0;
  return tokens > 0 && windowMs > 0 ? { tokens, windowMs } : undefined;
}

/**
 * Reads what an answer reports about the buckets that its request was charged to. Malformed headers are ignored: a
 * remainder above the limit, an unreadable limit, a wait of more than an hour.
 */
export function readFeedback(
  charges: readonly Charge[],
  status: number | undefined,
  headers: Headers,
): { bucket: string; feedback: RateLimitFeedback }[] {
  const [first] = charges;
  if (!first) return [];
  const found: { bucket: string; feedback: RateLimitFeedback }[] = [];
  const isGrouped = first.bucket !== ERROR_BUCKET;
  const limit = readLimit(header(headers, 'x-ratelimit-limit'));
  const remaining = numberHeader(headers, 'x-ratelimit-remaining');
  if (isGrouped && limit) {
    const isPlausible = remaining !== undefined && remaining <= limit.tokens;
    found.push({ bucket: first.bucket, feedback: isPlausible ? { limit, remaining } : { limit } });
  }
  const block = (bucket: string, resetHeader: string, reason: string) =>
    found.push({ bucket, feedback: { block: { forMs: retryAfter(headers, resetHeader), reason } } });
  if (status === 429) {
    // Without a group it is a limit inside the game server: the hidden limit where the route has one.
    const hidden = charges.find(({ bucket }) => bucket.startsWith(HIDDEN_LIMIT_PREFIX));
    const bucket = isGrouped ? first.bucket : (hidden?.bucket ?? ERROR_BUCKET);
    block(bucket, 'retry-after', 'ESI reports too many requests (429)');
  }
  if (status === 420)
    block(
      THROTTLE_BUCKET,
      'x-esi-error-limit-reset',
      'ESI reports too many errors from this IP address (420)',
    );
  const left = numberHeader(headers, 'x-esi-error-limit-remain');
  if (!isGrouped && left !== undefined && left < ERRORS_IN_RESERVE)
    block(
      ERROR_BUCKET,
      'x-esi-error-limit-reset',
      `only ${left} of ESI's 100 errors per minute are left for this IP address`,
    );
  return found;
}
