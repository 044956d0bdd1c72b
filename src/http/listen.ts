import { serve } from '@hono/node-server';
import { AppError } from '../lib/errors.ts';

/** A server that accepts requests. */
export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a handler. Port 0 takes any free port. Throws AppError PORT_TAKEN, which names the setting to change. */
export function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, setting }: { host: string; port: number; setting: string },
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: host, port }, (info) => {
      const name = host.includes(':') ? `[${host}]` : host;
      resolve({
        url: `http://${name}:${info.port}`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            if ('closeAllConnections' in server) server.closeAllConnections();
          }),
      });
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message =
        error.code === 'EADDRINUSE'
          ? `Port ${port} is used by another program. Stop it, or set ${setting} to another port (0: any free one).`
          : `Cannot listen on ${host}:${port} (${error.message}). Correct HTTP_HOST or ${setting}.`;
      reject(new AppError(message, { code: 'PORT_TAKEN', verdict: 'fail', cause: error }));
    });
  });
}
