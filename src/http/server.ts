import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import { AppError } from '../kernel/errors.ts';
import type { TargetStatus } from '../store/status.ts';
import type { Health } from './health.ts';
import { statusPage } from './page.ts';

/** What the pages show; `main` says how it is had. */
export interface HttpSources {
  health(): Promise<Health>;
  status(): Promise<{ targets: readonly TargetStatus[]; paused: string | null }>;
  readonly temporalUi: string | undefined;
  /** When set, everything but `/health` asks for it as bearer token. */
  readonly token: string | undefined;
}

/** The routes: `/health` for machines, `/api/status` as JSON, `/` for people. */
export function createApp(sources: HttpSources): Hono {
  const app = new Hono();
  if (sources.token !== undefined) {
    const guard = bearerAuth({ token: sources.token }); // compares in constant time
    app.use('/', guard).use('/api/*', guard);
  }
  app.get('/health', async (c) => {
    const health = await sources.health();
    return c.json(health, health.status === 'down' ? 503 : 200);
  });
  app.get('/api/status', async (c) => c.json(await sources.status()));
  app.get('/', async (c) => {
    const [health, status] = await Promise.all([sources.health(), sources.status()]);
    c.header('cache-control', 'no-store');
    return c.html(statusPage({ health, ...status, temporalUi: sources.temporalUi, now: new Date() }));
  });
  app.notFound((c) => c.json({ type: 'about:blank', title: 'Not found', status: 404 }, 404));
  app.onError((error, c) => {
    const status = error instanceof HTTPException ? error.status : 500;
    const title =
      status === 401 ? 'The bearer token of API_TOKEN is needed' : 'Something went wrong; the log says what';
    return c.json({ type: 'about:blank', title, status }, status);
  });
  return app;
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
