import { z } from 'zod';
import { EsiError } from './esi-error.ts';

/** Seconds. A 429 from a limiter inside the game server has no header; the documentation and the old blog say a minute. */
const DEFAULT_RETRY_AFTER = 60;

/** Seconds. No wait is longer at once, whatever a header says. */
const MAX_RETRY_AFTER = 3_600;

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The first value of a header. */
export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A header with a non-negative whole number; undefined when it is missing or malformed. */
export function numberHeader(headers: Headers, name: string): number | undefined {
  const text = header(headers, name);
  if (text === undefined || !/^\d{1,9}$/.test(text.trim())) return undefined;
  return Number(text);
}

/** Milliseconds to wait by the header `name`: at least a second, so that a 0 does not cause a request at once. */
export function retryAfter(headers: Headers, name: string): number {
  const seconds = numberHeader(headers, name) ?? DEFAULT_RETRY_AFTER;
  return Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER) * 1_000;
}

const errorBody = z.object({ error: z.string().catch(''), sso_status: z.int().optional().catch(undefined) });

/** The status of the route's own error where its gateway reports it as a failure of its own. */
const WRAPPED_STATUS = /^Undefined (4\d\d) response/;

/**
 * The error of an answer that is neither 200 nor 304. Its body decides too: a 403 may say that ESI could not check the token
 * with the SSO (esi-issues 1266), and a 500 that the route rejected the request ("Undefined 404 response").
 */
export function classifyError(status: number, headers: Headers, path: string, body: unknown): EsiError {
  const { data } = errorBody.safeParse(body);
  if (status === 403 && (data?.sso_status ?? 200) >= 400)
    return new EsiError(`ESI could not check the login for ${path} with the SSO (403).`, {
      code: 'ESI_SSO_TROUBLE',
      verdict: 'retry',
      status,
    });
  const wrapped = status >= 500 ? WRAPPED_STATUS.exec(data?.error ?? '') : null;
  return classifyStatus(wrapped ? Number(wrapped[1]) : status, headers, path);
}

/**
 * The error of a status. A 429 and a 420 say when to retry. A 5xx is the server's failure and worth a retry. Other 4xx are
 * our fault, and repeating them costs five tokens or an error each.
 */
function classifyStatus(status: number, headers: Headers, path: string): EsiError {
  if (status === 429)
    return new EsiError(`ESI received too many requests for ${path} (429).`, {
      code: 'ESI_RATE_LIMITED',
      verdict: 'wait',
      status,
      retryAfter: retryAfter(headers, 'retry-after'),
    });
  if (status === 420)
    return new EsiError(
      'ESI blocks all requests from this IP address for a while, because it caused too many errors (420).',
      {
        code: 'ESI_ERROR_LIMITED',
        verdict: 'wait',
        status,
        retryAfter: retryAfter(headers, 'x-esi-error-limit-reset'),
      },
    );
  if (status >= 500)
    return new EsiError(`ESI failed for ${path} (${status}).`, {
      code: 'ESI_SERVER_ERROR',
      verdict: 'retry',
      status,
    });
  if (status >= 400)
    return new EsiError(`ESI rejected ${path} (${status}).`, {
      code: 'ESI_REFUSED',
      verdict: 'fail',
      status,
    });
  return new EsiError(`ESI answered ${path} with the unexpected status ${status}.`, {
    code: 'ESI_UNEXPECTED',
    verdict: 'retry',
    status,
  });
}

/** Whether an error is the server's failure and not the request's fault. The circuit breaker counts these. */
export function isServerFailure(error: unknown): boolean {
  return error instanceof EsiError && error.verdict === 'retry';
}
