import { connect, createServer } from 'node:net';
import { AppError } from '../lib/errors.ts';

const LOOPBACK = '127.0.0.1';

/** Binds a loopback port and releases it. Returns the port (0: any), or undefined when it is taken. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}

/** The preferred port when it is free on loopback, otherwise any free one. */
export async function freePort(preferred?: number): Promise<number> {
  const port = (preferred ? await tryPort(preferred) : undefined) ?? (await tryPort(0));
  if (port === undefined) throw new Error('This machine has no free port on 127.0.0.1.');
  return port;
}

/** The wanted port of a server; without one the usual port when it is free, otherwise any. Throws when it is taken. */
export async function choosePort(
  server: { readonly name: string; readonly code: string },
  wanted: number | undefined,
  usual: number | undefined,
): Promise<number> {
  if (!wanted) return freePort(usual);
  if ((await tryPort(wanted)) !== undefined) return wanted;
  throw new AppError(
    `Port ${wanted} for the embedded ${server.name} is used by another program. Stop that program, or choose another ` +
      'port (0: any free one).',
    { code: server.code, verdict: 'fail' },
  );
}

/** Whether a server listens on this loopback port. The port is never bound. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port });
    const end = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
