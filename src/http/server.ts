import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { addApi, callbackPaths } from './api.ts';
import { createGuessLimit } from './guess-limit.ts';
import type { HttpSources } from './http-sources.ts';
import { respondWithErrorPage } from './login-callback.ts';
import { rejectInput, respondWithError, sendProblem } from './problem.ts';
import { guardHostAndOrigin, httpAuthPaths, requireAuth, secureResponses } from './security.ts';
import { createAnswerSharing } from './share-answers.ts';
import { statusPage } from './status-page.ts';
import { STYLE } from './style.ts';

/** The largest body that the API takes is a list of names. */
const MAX_BODY_BYTES = 64 * 1024;

/** The routes: `/health` for machines, `/api/...` for programs, `/` for people, and the login callback for EVE. */
export function createHttpApp(sources: HttpSources): OpenAPIHono {
  const { access, clock, login, log } = sources;
  const app = new OpenAPIHono({
    defaultHook: (result, c) =>
      result.success ? undefined : rejectInput(c, result.target, result.error.issues),
  });
  const callbacks = callbackPaths(login.callbackUrl);
  app.use(secureResponses(access)).use(guardHostAndOrigin(access, callbacks));
  if (access.tokens.length > 0)
    app.use(requireAuth(access.tokens, httpAuthPaths(callbacks), createGuessLimit(clock, log)));
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES }));
  const { share, forgetAfterChange } = createAnswerSharing(clock);
  app.use(forgetAfterChange);
  for (const path of ['/', '/health', '/api/status']) app.get(path, share);
  addApi(app, sources);
  addPages(app, sources);
  app.notFound((c) => sendProblem(c, { status: 404, detail: `There is nothing at ${c.req.path}.` }));
  app.onError((error, c) => respondWithError(error, c, log));
  return app;
}

/** The status page, its style sheet, and the button that leads to EVE's login. */
function addPages(app: OpenAPIHono, sources: HttpSources): void {
  const { owners, log, login, temporalUi, isSimulated } = sources;
  app.get('/', async (c) => {
    const [health, status] = await Promise.all([sources.health(), sources.status()]);
    return c.html(statusPage({ health, ...status, login, temporalUi, isSimulated, now: new Date() }));
  });
  app.get('/style.css', (c) => c.body(STYLE, 200, { 'content-type': 'text/css' }));
  app.post('/login', async (c) => {
    try {
      return c.redirect((await owners.startLogin()).url, 303);
    } catch (error) {
      return respondWithErrorPage(error, c, log);
    }
  });
}
