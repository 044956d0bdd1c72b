import { parseDuration } from '../../lib/duration.ts';
import { header, type Headers, numberHeader, retryAfter } from '../classify-status.ts';
import { ERROR_BUCKET } from './charges.ts';
import type { BucketLimit, TokenBucket } from './token-bucket.ts';

/** The old error limit counts 100 errors a minute per IP address. With fewer left than this, its routes are blocked. */
const ERRORS_IN_RESERVE = 25;

/** Reads `150/15m` as tokens and window; undefined when it is missing or malformed. */
export function readLimit(text: string | undefined): BucketLimit | undefined {
  const match = /^(\d{1,7})\/(\d{1,4}[smh])$/.exec(text?.trim() ?? '');
  const tokens = Number(match?.[1] ?? 0);
  const windowMs = parseDuration(match?.[2] ?? '') ?? 0;
  return tokens > 0 && windowMs > 0 ? { tokens, windowMs } : undefined;
}

/**
 * Applies what an answer reported `agoMs` ago about the buckets of its request: ESI's limit and count, and blocks. Malformed
 * headers are ignored: a remainder above the limit, an unreadable limit, a wait of more than an hour.
 */
export function applyHeaders(
  [first, own, hidden = first]: readonly TokenBucket[],
  status: number | undefined,
  headers: Headers,
  agoMs: number,
): void {
  const isGrouped = first!.name !== ERROR_BUCKET;
  const limit = isGrouped ? readLimit(header(headers, 'x-ratelimit-limit')) : undefined;
  const remaining = numberHeader(headers, 'x-ratelimit-remaining');
  if (limit) first!.adoptLimit(limit);
  if (limit && remaining !== undefined && remaining <= limit.tokens) first!.adoptRemaining(remaining);
  const block = (bucket: TokenBucket | undefined, reset: string, reason: string) =>
    bucket?.block(retryAfter(headers, reset) - agoMs, reason);
  // Without a group it is a limit inside the game server: the hidden limit where the route has one.
  if (status === 429) block(isGrouped ? first : hidden, 'retry-after', 'ESI reports too many requests (429)');
  const reset = 'x-esi-error-limit-reset';
  if (status === 420) block(own, reset, 'ESI reports too many errors from this IP address (420)');
  const left = numberHeader(headers, 'x-esi-error-limit-remain');
  if (!isGrouped && left !== undefined && left < ERRORS_IN_RESERVE)
    block(first, reset, `only ${left} of ESI's 100 errors per minute are left for this IP address`);
}
