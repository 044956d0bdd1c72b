import { z } from 'zod';
import { DAY, MINUTE } from '../lib/duration.ts';
import { AppError } from '../lib/errors.ts';

/** An answer of the SSO, read to its end. */
export interface SsoAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** What was asked for: the same refusal means different things. */
export type SsoOperation = 'login' | 'refresh' | 'revoke';

export interface RefusalContext {
  readonly errand: SsoOperation;
  readonly now: number;
  /** Whether this SSO has EVE's daily downtime; a simulated one has none. */
  readonly downtime: boolean;
}

/** 10:55 to 11:30 UTC: around the daily restart the SSO has refused good tokens with a 400 (facts d, pathfinder 880). */
const DOUBT = { from: (10 * 60 + 55) * MINUTE, to: (11 * 60 + 30) * MINUTE };

/** A 429 that does not say for how long; nothing keeps us waiting for more than an hour. Seconds. */
const PAUSE = { default: 60, most: 3_600 };

const fail = (code: string, message: string) => new AppError(message, { code, verdict: 'fail' });

/** The SSO answers, but not as it should: worth another try, or a wait of so many milliseconds. */
export function ssoTrouble(message: string, retryAfter?: number): AppError {
  if (retryAfter === undefined) return new AppError(message, { code: 'SSO_TROUBLE', verdict: 'retry' });
  return new AppError(message, { code: 'SSO_TROUBLE', verdict: 'wait', retryAfter });
}

const scopeRefused = () =>
  fail(
    'SSO_BAD_SCOPE',
    "EVE refused the scopes that were asked for. Open the application at developers.eveonline.com, give it all scopes that the collectors need, and log the character in again. A scope that EVE has removed has to go from the application's list, too.",
  );

const clientRefused = () =>
  fail(
    'SSO_BAD_CLIENT',
    'EVE does not know this application, or its secret is wrong. Compare ESI_CLIENT_ID and ESI_CLIENT_SECRET with the application at developers.eveonline.com, and start again.',
  );

const DEAD: Readonly<Record<SsoOperation, string>> = {
  login:
    'EVE did not accept this login: it took more than five minutes, or was used before. Begin the login anew.',
  refresh:
    "EVE no longer accepts this character's login: access was revoked, the password changed, the character transferred, or the application's scopes edited. Log the character in again.",
  revoke: 'EVE no longer knows this login.',
};

const body = z.object({ error: z.string(), error_description: z.string().optional() });

/** What a text holds; undefined when it is no JSON. A parser's error would repeat it. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The `error` of an OAuth refusal, in lower case; nothing else of the body is repeated anywhere. */
function refusalOf(text: string): string | undefined {
  const { data } = body.safeParse(jsonOf(text));
  // Whatever the SSO calls it, "The refresh token is expired." is the end of it (facts d).
  if (/refresh token (is|has) (expired|been revoked)/i.test(data?.error_description ?? ''))
    return 'invalid_token';
  return data?.error.toLowerCase();
}

/** Milliseconds of a `Retry-After` in seconds or as a date. */
function retryAfterOf(text: string | undefined, now: number): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : (Date.parse(text ?? '') - now) / 1_000;
  return Math.min(Math.max(Number.isNaN(seconds) ? PAUSE.default : seconds, 1), PAUSE.most) * 1_000;
}

/** Milliseconds until EVE's refusals can be believed again; undefined when they can. */
function doubtLeft({ now, downtime }: RefusalContext): number | undefined {
  const time = now % DAY;
  return downtime && time >= DOUBT.from && time < DOUBT.to ? DOUBT.to - time : undefined;
}

/** What an answer other than 200 means when no refusal of OAuth is in it: trouble, never a reason to give up. */
export function badStatus({ status, retryAfter }: SsoAnswer, now: number): AppError {
  if (status === 429)
    return ssoTrouble("EVE's login server says that this is too fast (429).", retryAfterOf(retryAfter, now));
  if (status >= 300 && status < 400)
    return ssoTrouble(
      `EVE's login server sent us elsewhere (${status}), which is not followed. Check SSO_BASE_URL.`,
    );
  return ssoTrouble(`EVE's login server failed to answer (${status}).`);
}

/** What a refusal of the token or revocation endpoint means. The body is not repeated: it may hold a secret. */
export function classifyRefusal(answer: SsoAnswer, context: RefusalContext): AppError {
  const { status, text } = answer;
  if (status < 400 || status >= 500 || status === 429) return badStatus(answer, context.now);
  const error = refusalOf(text);
  const dead = error === 'invalid_grant' || error === 'invalid_token';
  const doubt = doubtLeft(context);
  if (doubt !== undefined && (dead || status === 400))
    return ssoTrouble(
      "EVE's login server refuses logins around the daily downtime (11:00 UTC), and is not believed before 11:30.",
      doubt,
    );
  if (dead) return fail('LOGIN_DEAD', DEAD[context.errand]);
  if (error === 'invalid_scope') return scopeRefused();
  if (status === 401 || error === 'invalid_client' || error === 'unauthorized_client') return clientRefused();
  return badStatus(answer, context.now);
}

/** What an `error` in the address that EVE sends a person back with means. */
export function classifyCallback(error: string): AppError {
  if (error === 'access_denied')
    return fail(
      'LOGIN_DENIED',
      'The login was cancelled on the page of EVE. Begin it anew to add the character.',
    );
  if (error === 'invalid_scope') return scopeRefused();
  if (error === 'invalid_client' || error === 'unauthorized_client') return clientRefused();
  return fail('LOGIN_FAILED', "EVE's login server could not finish the login. Begin it anew.");
}
