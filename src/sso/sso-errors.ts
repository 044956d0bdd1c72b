import { z } from 'zod';
import { DAY, HOUR, MINUTE } from '../lib/duration.ts';
import { AppError } from '../lib/errors.ts';

/** A complete answer of the SSO. */
export interface SsoAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** What was requested. The same error means something different for each. */
export type SsoOperation = 'login' | 'refresh' | 'revoke';

/** The circumstances of a rejected request. */
export interface RejectionContext {
  readonly operation: SsoOperation;
  readonly now: number;
  /** Whether this SSO has EVE's daily downtime. A simulated one has none. */
  readonly downtime: boolean;
}

/** Times of the UTC day. Around the daily restart the SSO has rejected valid tokens with a 400 (esi-issues 880). */
const UNRELIABLE = { from: 10 * HOUR + 55 * MINUTE, to: 11 * HOUR + 30 * MINUTE };

/** Seconds to wait after a 429 without a time, and at most. */
const RETRY_AFTER = { default: 60, max: 3_600 };

const fail = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

/** A failure of the SSO, worth a retry, or a wait of `retryAfter` milliseconds. */
export function ssoFailure(message: string, retryAfter?: number): AppError {
  if (retryAfter === undefined) return new AppError(message, { code: 'SSO_TROUBLE', verdict: 'retry' });
  return new AppError(message, { code: 'SSO_TROUBLE', verdict: 'wait', retryAfter });
}

const badScope = () =>
  fail(
    'SSO_BAD_SCOPE',
    'EVE rejected the requested scopes. Open the application at developers.eveonline.com, add all scopes that the ' +
      'collectors need, remove scopes that EVE no longer has, and log the character in again.',
  );

const badClient = () =>
  fail(
    'SSO_BAD_CLIENT',
    'EVE does not know this application, or its secret is wrong. Compare ESI_CLIENT_ID and ESI_CLIENT_SECRET with ' +
      'the application at developers.eveonline.com, and start again.',
  );

const LOGIN_DEAD: Readonly<Record<SsoOperation, string>> = {
  login:
    'EVE did not accept this login: it took more than five minutes, or was used before. Please start again.',
  refresh:
    "EVE no longer accepts this character's login: access was revoked, the password changed, the character was " +
    "transferred, or the application's scopes were edited. Log the character in again.",
  revoke: 'EVE does not know this login any more.',
};

const oauthError = z.object({ error: z.string(), error_description: z.string().optional() });

/** Parses JSON; undefined when it is invalid. The parser's own error would contain the text, which may be a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The OAuth error code in a body, in lower case. Nothing else of the body may appear in an error. */
function parseErrorCode(text: string): string | undefined {
  const { data } = oauthError.safeParse(parseJson(text));
  // EVE sends this description with various codes, and it is always final.
  if (/refresh token (is|has) (expired|been revoked)/i.test(data?.error_description ?? ''))
    return 'invalid_token';
  return data?.error.toLowerCase();
}

/** Milliseconds of a `Retry-After` in seconds or as a date. */
function parseRetryAfter(text: string | undefined, now: number): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : (Date.parse(text ?? '') - now) / 1_000;
  const wait = Number.isNaN(seconds) ? RETRY_AFTER.default : seconds;
  return Math.min(Math.max(wait, 1), RETRY_AFTER.max) * 1_000;
}

/** Milliseconds until EVE's rejections are reliable again; undefined when they are. */
function unreliableFor({ now, downtime }: RejectionContext): number | undefined {
  const time = now % DAY;
  return downtime && time >= UNRELIABLE.from && time < UNRELIABLE.to ? UNRELIABLE.to - time : undefined;
}

/** The error of an answer other than 200 without an OAuth error. It is never a reason to give up a login. */
export function classifySsoStatus({ status, retryAfter }: SsoAnswer, now: number): AppError {
  if (status === 429)
    return ssoFailure(
      "EVE's login server reports too many requests (429).",
      parseRetryAfter(retryAfter, now),
    );
  if (status >= 300 && status < 400)
    return ssoFailure(
      `EVE's login server redirected the request (${status}). Redirects are not followed. Check SSO_BASE_URL.`,
    );
  return ssoFailure(`EVE's login server failed (${status}).`);
}

/** The error of an answer of the token or revocation endpoint. It does not contain the body, which may hold a secret. */
export function classifyRejection(answer: SsoAnswer, context: RejectionContext): AppError {
  const { status, text } = answer;
  if (status < 400 || status >= 500 || status === 429) return classifySsoStatus(answer, context.now);
  const code = parseErrorCode(text);
  const isDead = code === 'invalid_grant' || code === 'invalid_token';
  const wait = unreliableFor(context);
  if (wait !== undefined && (isDead || status === 400))
    return ssoFailure(
      "EVE's login server rejects valid logins around the daily downtime (11:00 UTC). The login is tried again at " +
        '11:30 UTC.',
      wait,
    );
  if (isDead) return fail('LOGIN_DEAD', LOGIN_DEAD[context.operation]);
  if (code === 'invalid_scope') return badScope();
  if (status === 401 || code === 'invalid_client' || code === 'unauthorized_client') return badClient();
  return classifySsoStatus(answer, context.now);
}

/** The error of a callback with an `error` parameter. */
export function classifyCallback(error: string): AppError {
  if (error === 'access_denied')
    return fail(
      'LOGIN_DENIED',
      'The login was cancelled on the EVE page. Please start again to add the character.',
    );
  if (error === 'invalid_scope') return badScope();
  if (error === 'invalid_client' || error === 'unauthorized_client') return badClient();
  return fail('LOGIN_FAILED', "EVE's login server could not complete the login. Please start again.");
}
