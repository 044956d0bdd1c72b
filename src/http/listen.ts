import { serve } from '@hono/node-server';
import { AppError } from '../lib/errors.ts';

/** A server that accepts requests. */
export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** Milliseconds for a whole request. The largest is 64 KB; one that drips would hold a connection for ever. */
const REQUEST_TIMEOUT = 30_000;

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** The setting of the port, for the error. */
  readonly setting: string;
  /** That of the host. Default: HTTP_HOST. */
  readonly hostSetting?: string;
  /** Milliseconds from the connection to the end of a request, after which it is cut. Default: 30 s. */
  readonly requestTimeout?: number;
}

/** How Node cuts slow requests: it looks at all connections this often. */
const timeouts = (ms: number) => ({
  requestTimeout: ms,
  headersTimeout: ms,
  connectionsCheckingInterval: Math.min(ms / 10, 1_000),
});

/** Serves a handler. Port 0 takes any free port. Throws AppError PORT_TAKEN, which names the setting to change. */
export function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, setting, hostSetting = 'HTTP_HOST', requestTimeout = REQUEST_TIMEOUT }: ListenOptions,
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const serverOptions = timeouts(requestTimeout);
    const server = serve({ fetch, hostname: host, port, serverOptions }, (info) => {
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
          : `Cannot listen on ${host}:${port} (${error.message}). Correct ${hostSetting} or ${setting}.`;
      reject(new AppError(message, { code: 'PORT_TAKEN', verdict: 'fail', cause: error }));
    });
  });
}
