import { STATUS_CODES } from 'node:http';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { redactSecrets } from '../lib/redact.ts';

/** Problem details (RFC 9457). `code` is for programs, `detail` for people. */
export interface Problem {
  readonly status: ContentfulStatusCode;
  readonly detail: string;
  readonly code?: string;
  /** What in the request is wrong: a JSON pointer into its body, or the name of a parameter. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** HTTP status of our errors by code. Codes that are not listed are faults of this program: 500. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  LOGIN_UNKNOWN: 400,
  LOGIN_EXPIRED: 400,
  LOGIN_USED: 400,
  LOGIN_DENIED: 400,
  LOGIN_DEAD: 400,
  UNKNOWN_OWNER: 404,
  UNKNOWN_TOKEN: 404,
  UNKNOWN_ASSIGNMENT: 404,
  ASSIGNMENT_EXISTS: 409,
  TOKEN_UNUSABLE: 409,
  NO_APPLICATION: 409,
  BAD_TARGET: 422,
  BAD_INTERVAL: 422,
  UNKNOWN_COLLECTOR: 422,
  SSO_UNTRUSTED: 502,
  SSO_BAD_CLIENT: 502,
  SSO_BAD_SCOPE: 502,
  BAD_TOKEN: 502,
  LOGIN_FAILED: 502,
  SSO_UNREACHABLE: 503,
  SSO_TROUBLE: 503,
};

const INTERNAL_ERROR = 'Internal error. The log of this program has the details.';

/** Errors that the HTTP framework raises before a handler of ours is called. */
const FRAMEWORK_ERRORS: Readonly<Record<number, string>> = {
  400: 'The request is malformed: its body is not valid JSON, or its Authorization header is not valid.',
  401: 'Send API_TOKEN as the bearer token; for metrics METRICS_TOKEN or API_TOKEN.',
  413: 'The body is too large: send at most 64 KB.',
  415: 'Send the body as application/json.',
};

/** The status and the text for an error. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AppError)
    return { status: STATUS[error.code] ?? 500, code: error.code, detail: redactSecrets(error.message) };
  if (error instanceof HTTPException)
    return {
      status: error.status,
      detail: FRAMEWORK_ERRORS[error.status] ?? (error.message || INTERNAL_ERROR),
    };
  return { status: 500, detail: INTERNAL_ERROR };
}

/** Responds with problem details. */
export function sendProblem(c: Context, { status, ...members }: Problem): Response {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, ...members };
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' });
}

/** Responds to an error. Only the path is logged: the query of a callback is a secret. */
export function respondWithError(error: unknown, c: Context, log: Log): Response {
  const problem = problemOf(error);
  if (problem.status === 500)
    log.error({ path: c.req.path, error: describeError(error) }, 'a request failed');
  const challenge = error instanceof HTTPException ? error.res?.headers.get('www-authenticate') : undefined;
  if (challenge) c.header('www-authenticate', challenge);
  if (error instanceof AppError && error.retryAfter !== undefined)
    c.header('retry-after', String(Math.ceil(error.retryAfter / 1_000)));
  return sendProblem(c, problem);
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A JSON pointer (RFC 6901) as a URI fragment: `#` is the whole body. */
function jsonPointer(path: Issue['path']): string {
  const keys = path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'));
  return ['#', ...keys.map(encodeURIComponent)].join('/');
}

/** Responds to a request that does not match its schema. */
export function rejectInput(c: Context, target: string, issues: readonly Issue[]): Response {
  const errors = issues.map(({ path, message }) => ({
    pointer: target === 'json' ? jsonPointer(path) : path.map(String).join('.'),
    detail: message,
  }));
  const list = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ');
  return sendProblem(c, {
    status: 422,
    code: 'BAD_INPUT',
    detail: `The request is not valid: ${list}.`,
    errors,
  });
}
