import type { Context } from 'hono';
import { html } from 'hono/html';
import type { LoginReport } from '../engine/owners/login-flow.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { problemOf, respondWithError, sendProblem } from './problem.ts';

/** Programs ask for JSON by name; browsers accept anything. */
const wantsJson = (accept = '') =>
  /\bapplication\/(problem\+)?json\b/.test(accept) && !/\btext\/html\b/.test(accept);

/** Completes a login and responds with its result: a page for people, JSON where the request asks for it. */
export async function respondToCallback(
  c: Context,
  log: Log,
  finish: () => Promise<LoginReport>,
): Promise<Response> {
  c.header('referrer-policy', 'no-referrer'); // the address contains the code
  // Hono serves HEAD through GET: a program that only checks where a link leads would use up the login.
  if (c.req.method === 'HEAD') {
    c.header('allow', 'GET');
    return sendProblem(c, { status: 405, detail: 'Use GET: each visit of this address completes a login.' });
  }
  const json = wantsJson(c.req.header('accept'));
  try {
    const report = await finish();
    return json ? c.json(report) : c.html(messagePage('Logged in', report.message));
  } catch (error) {
    return json ? respondWithError(error, c, log) : respondWithErrorPage(error, c, log);
  }
}

/** Responds with a page that shows an error. */
export function respondWithErrorPage(error: unknown, c: Context, log: Log): Response | Promise<Response> {
  respondWithError(error, c, log); // logs the error and sets headers
  const { status, detail } = problemOf(error);
  const isTemporary = error instanceof AppError && error.verdict !== 'fail';
  const retry = isTemporary ? ' Load this page again in a minute.' : '';
  return c.html(messagePage('Not logged in', `${detail}${retry}`), status);
}

/** Rejects addresses that EVE never redirects to. */
export async function rejectCallback(): Promise<never> {
  throw new AppError(
    'This address is not the callback of a login at EVE: a part of it is repeated or far too long. Please start again.',
    { code: 'LOGIN_UNKNOWN', verdict: 'fail' },
  );
}

function messagePage(title: string, message: string) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        <link rel="stylesheet" href="/style.css" />
      </head>
      <body>
        <h1>${title}</h1>
        <p>${message}</p>
        <p><a href="/">Go to the status page</a></p>
      </body>
    </html>`;
}
