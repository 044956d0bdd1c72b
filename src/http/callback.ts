import type { Context } from 'hono';
import { html } from 'hono/html';
import type { LoginReport } from '../engine/owners/login-flow.ts';
import { AppError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { answerError, problemOf, sendProblem } from './problem.ts';

/** Programs say that they want JSON; browsers say that they take anything. */
const wantsJson = (accept = '') =>
  /\bapplication\/(problem\+)?json\b/.test(accept) && !/\btext\/html\b/.test(accept);

/** Finishes a login, and says what came of it: on a page for people, as JSON where that is asked for. */
export async function answerCallback(
  c: Context,
  log: Log,
  finish: () => Promise<LoginReport>,
): Promise<Response> {
  c.header('referrer-policy', 'no-referrer'); // the address has the code in it
  // Hono answers HEAD through GET: a program that only looks where a link leads would spend the login.
  if (c.req.method === 'HEAD') {
    c.header('allow', 'GET');
    return sendProblem(c, { status: 405, detail: 'This address answers GET only: each visit ends a login.' });
  }
  const json = wantsJson(c.req.header('accept'));
  try {
    const report = await finish();
    return json ? c.json(report) : c.html(page('Logged in', report.message));
  } catch (error) {
    return json ? answerError(error, c, log) : answerPerson(error, c, log);
  }
}

/** Answers an error on a page. */
export function answerPerson(error: unknown, c: Context, log: Log): Response | Promise<Response> {
  answerError(error, c, log); // its log and headers
  const { status, detail } = problemOf(error);
  const again =
    error instanceof AppError && error.verdict !== 'fail' ? ' Load this page again in a minute.' : '';
  return c.html(page('Not logged in', `${detail}${again}`), status);
}

/** For addresses that EVE never sends anybody to. */
export async function refuseCallback(): Promise<never> {
  throw new AppError(
    'This address is not the end of a login at EVE: a part of it is doubled or far too long. Begin the login anew.',
    { code: 'LOGIN_UNKNOWN', verdict: 'fail' },
  );
}

function page(title: string, message: string) {
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
        <p><a href="/">To the status page</a></p>
      </body>
    </html>`;
}
