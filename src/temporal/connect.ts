import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { AppError, describeError } from '../lib/errors.ts';

/** Where a Temporal server is, and what it requires of its clients. */
export interface TemporalOptions {
  readonly address: string;
  readonly namespace: string;
  readonly apiKey: string | undefined;
  /** Undefined: TLS is on when an API key, a certificate or a server name is given. */
  readonly tls: boolean | undefined;
  readonly clientCertPath: string | undefined;
  readonly clientKeyPath: string | undefined;
  readonly serverCaCertPath: string | undefined;
  readonly serverName: string | undefined;
}

/** A server that is just starting gets this long (ms) before it counts as unreachable. */
const CONNECT_TIMEOUT = 20_000;

const RETRY_INTERVAL = 500;

const readIfSet = (path: string | undefined) => (path === undefined ? undefined : readFile(path));

/** The connection options that the client and the worker share. */
export async function connectionOptions(options: TemporalOptions): Promise<NativeConnectionOptions> {
  const [crt, key, ca] = await Promise.all([
    readIfSet(options.clientCertPath),
    readIfSet(options.clientKeyPath),
    readIfSet(options.serverCaCertPath),
  ]);
  const { address, apiKey, serverName } = options;
  const tls = {
    ...(crt && key ? { clientCertPair: { crt, key } } : {}),
    ...(ca ? { serverRootCACertificate: ca } : {}),
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
  };
  const hasDetails = Object.keys(tls).length > 0;
  return {
    address,
    ...((options.tls ?? (apiKey !== undefined || hasDetails)) ? { tls: hasDetails ? tls : true } : {}),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/** Repeats `connect` until the server answers. Throws AppError TEMPORAL_UNREACHABLE. */
export async function connectWithRetry<T>(address: string, connect: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + CONNECT_TIMEOUT;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > deadline) {
        throw new AppError(
          `Temporal does not respond at ${address} (${describeError(error)}). Start it, correct TEMPORAL_ADDRESS, or ` +
            'unset it to use the embedded server.',
          { code: 'TEMPORAL_UNREACHABLE', verdict: 'fail', cause: error },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
    }
  }
}

/** A client for starting and watching runs. Throws AppError TEMPORAL_UNREACHABLE. The caller closes its connection. */
export async function connectClient(options: TemporalOptions): Promise<Client> {
  const connectOptions = { ...(await connectionOptions(options)), connectTimeout: '5s' } as const;
  const connection = await connectWithRetry(options.address, () => Connection.connect(connectOptions));
  return new Client({ connection, namespace: options.namespace });
}
