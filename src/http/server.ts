import { serve } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { AppError } from '../lib/errors.ts';
import { addApi, callbackPaths } from './api.ts';
import { answerPerson } from './callback.ts';
import { statusPage } from './status-page.ts';
import { answerError, refuseInput, sendProblem } from './problem.ts';
import { requireAuth, guardHostAndOrigin, secureResponses } from './security.ts';
import type { HttpSources } from './http-sources.ts';
import { STYLE } from './style.ts';

/** Nothing that the API takes is larger than a list of names. */
const MOST_BODY = 64 * 1024;

/** The routes: `/health` for machines, `/api/...` for programs, `/` for people, and EVE's callback. */
export function createHttpApp(sources: HttpSources): OpenAPIHono {
  const { access, login, log } = sources;
  const app = new OpenAPIHono({
    defaultHook: (result, c) =>
      result.success ? undefined : refuseInput(c, result.target, result.error.issues),
  });
  const callbacks = callbackPaths(login.callbackUrl);
  app.use(secureResponses(access)).use(guardHostAndOrigin(access, callbacks));
  if (access.token !== undefined) app.use(requireAuth(access.token, callbacks));
  app.use(bodyLimit({ maxSize: MOST_BODY }));
  addApi(app, sources);
  addPages(app, sources);
  app.notFound((c) => sendProblem(c, { status: 404, detail: `There is nothing at ${c.req.path}.` }));
  app.onError((error, c) => answerError(error, c, log));
  return app;
}

/** For people: the status page, its looks, and the button that leads to EVE's login. */
function addPages(app: OpenAPIHono, sources: HttpSources): void {
  const { desk, log, login, temporalUi } = sources;
  app.get('/', async (c) => {
    const [health, status] = await Promise.all([sources.health(), sources.status()]);
    return c.html(statusPage({ health, ...status, login, temporalUi, now: new Date() }));
  });
  app.get('/style.css', (c) => c.body(STYLE, 200, { 'content-type': 'text/css' }));
  app.post('/login', async (c) => {
    try {
      return c.redirect((await desk.startLogin()).url, 303);
    } catch (error) {
      return answerPerson(error, c, log);
    }
  });
}

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a handler. Throws AppError PORT_TAKEN with the setting to change. Port 0 takes any free one. */
export function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, setting }: { host: string; port: number; setting: string },
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: host, port }, (info) => {
      const shown = host.includes(':') ? `[${host}]` : host;
      resolve({
        url: `http://${shown}:${info.port}`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            if ('closeAllConnections' in server) server.closeAllConnections();
          }),
      });
    });
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new AppError(
          error.code === 'EADDRINUSE'
            ? `Port ${port} is taken by another program. End it, or set ${setting} to another port (0: any free one).`
            : `The address ${host}:${port} cannot be served (${error.message}). Correct HTTP_HOST or ${setting}.`,
          { code: 'PORT_TAKEN', verdict: 'fail', cause: error },
        ),
      ),
    );
  });
}
