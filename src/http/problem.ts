import { STATUS_CODES } from 'node:http';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

/** RFC 9457. `code` is for programs, `detail` for people. */
export interface Problem {
  readonly status: ContentfulStatusCode;
  readonly detail: string;
  readonly code?: string;
  /** What in the request is wrong: a JSON pointer into its body, or the name of a parameter. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** What an error of ours is to whoever asked over HTTP. Those that are not here are our own trouble: 500. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  ...{ BAD_TARGET: 422, BAD_INTERVAL: 422, UNKNOWN_COLLECTOR: 422 },
  ...{ UNKNOWN_OWNER: 404, UNKNOWN_TOKEN: 404, UNKNOWN_ASSIGNMENT: 404 },
  ...{ ASSIGNMENT_EXISTS: 409, TOKEN_UNUSABLE: 409, NO_APPLICATION: 409 },
  ...{ LOGIN_UNKNOWN: 400, LOGIN_EXPIRED: 400, LOGIN_USED: 400, LOGIN_DENIED: 400, LOGIN_DEAD: 400 },
  ...{ SSO_UNREACHABLE: 503, SSO_TROUBLE: 503 },
  ...{ SSO_UNTRUSTED: 502, SSO_BAD_CLIENT: 502, SSO_BAD_SCOPE: 502, BAD_TOKEN: 502, LOGIN_FAILED: 502 },
};

const OUR_TROUBLE = 'Something went wrong in this program; its log says what.';

/** What goes wrong before our own code is asked. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is malformed: its body is no proper JSON, or its Authorization is not understood.',
  401: 'The bearer token of API_TOKEN is needed.',
  413: 'The body is larger than 64 KB; nothing here needs as much.',
  415: 'Send the body as application/json.',
};

/** The status and the words for an error. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AppError)
    return { status: STATUS[error.code] ?? 500, code: error.code, detail: error.message };
  if (error instanceof HTTPException)
    return { status: error.status, detail: REFUSALS[error.status] ?? (error.message || OUR_TROUBLE) };
  return { status: 500, detail: OUR_TROUBLE };
}

export function sendProblem(c: Context, { status, ...members }: Problem): Response {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, ...members };
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' });
}

/** Answers an error. Only the path is logged: the query of a callback is a secret. */
export function answerError(error: unknown, c: Context, log: Log): Response {
  const problem = problemOf(error);
  if (problem.status === 500)
    log.error({ path: c.req.path, error: describeError(error) }, 'a request could not be answered');
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

/** RFC 6901, as a fragment: `#` is the whole body. */
function jsonPointer(path: Issue['path']): string {
  const keys = path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'));
  return ['#', ...keys.map(encodeURIComponent)].join('/');
}

/** Answers a request that a schema refused. */
export function refuseInput(c: Context, target: string, issues: readonly Issue[]): Response {
  const errors = issues.map(({ path, message }) => ({
    pointer: target === 'json' ? jsonPointer(path) : path.map(String).join('.'),
    detail: message,
  }));
  const told = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ');
  return sendProblem(c, {
    status: 422,
    code: 'BAD_INPUT',
    detail: `The request does not fit: ${told}.`,
    errors,
  });
}
