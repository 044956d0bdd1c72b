import { EsiError } from './esi-error.ts';

/** A 429 from a limiter inside the game server carries no header; the docs and the old blog both speak of a minute. */
const DEFAULT_RETRY_AFTER = 60;

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A header that holds a non-negative number, or undefined when it is missing or nonsense. */
export function numberHeader(headers: Headers, name: string): number | undefined {
  const text = header(headers, name);
  if (text === undefined || !/^\d{1,9}$/.test(text.trim())) return undefined;
  return Number(text);
}

/**
 * `Retry-After` or the error limit's reset, in milliseconds. Nothing keeps us waiting for more than an hour at once, and
 * a refusal that says 0 is not answered by asking at once.
 */
export function retryAfter(headers: Headers, name: string): number {
  return Math.min(Math.max(numberHeader(headers, name) ?? DEFAULT_RETRY_AFTER, 1), 3_600) * 1_000;
}

/**
 * What an answer that is neither 200 nor 304 means. 429 and 420 say when to come back; 5xx is the server's trouble and
 * worth another try; other 4xx are ours and repeating them costs five tokens or an error each.
 */
export function classifyStatus(status: number, headers: Headers, path: string): EsiError {
  if (status === 429) {
    return new EsiError(`ESI says this is too fast for ${path} (429).`, {
      code: 'ESI_RATE_LIMITED',
      verdict: 'wait',
      status,
      retryAfter: retryAfter(headers, 'retry-after'),
    });
  }
  if (status === 420) {
    return new EsiError(
      'ESI has had too many errors from this address (420) and answers nobody here for a while.',
      {
        code: 'ESI_ERROR_LIMITED',
        verdict: 'wait',
        status,
        retryAfter: retryAfter(headers, 'x-esi-error-limit-reset'),
      },
    );
  }
  if (status >= 500) {
    return new EsiError(`ESI failed to answer ${path} (${status}).`, {
      code: 'ESI_SERVER_ERROR',
      verdict: 'retry',
      status,
    });
  }
  if (status >= 400) {
    return new EsiError(`ESI refused ${path} (${status}).`, { code: 'ESI_REFUSED', verdict: 'fail', status });
  }
  return new EsiError(`ESI answered ${path} with ${status}, which is not understood.`, {
    code: 'ESI_UNEXPECTED',
    verdict: 'retry',
    status,
  });
}

/** Errors that say the server is in trouble, not the request: what the breaker counts. */
export function isServerTrouble(error: unknown): boolean {
  return error instanceof EsiError && error.verdict === 'retry';
}
