import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { AppError, describeError } from '../lib/errors.ts';
import type { Config } from '../app/settings.ts';

export interface TemporalAddress {
  readonly address: string;
  readonly namespace: string;
}

/** A server that is just starting is given this long before we call it unreachable. */
const PATIENCE = 20_000;

async function connectionOptions(config: Config, address: string): Promise<NativeConnectionOptions> {
  const file = (path: string | undefined) => (path === undefined ? undefined : readFile(path));
  const [crt, key, ca] = await Promise.all([
    file(config.TEMPORAL_TLS_CLIENT_CERT_PATH),
    file(config.TEMPORAL_TLS_CLIENT_KEY_PATH),
    file(config.TEMPORAL_TLS_SERVER_CA_CERT_PATH),
  ]);
  const name = config.TEMPORAL_TLS_SERVER_NAME;
  const details = {
    ...(crt && key ? { clientCertPair: { crt, key } } : {}),
    ...(ca ? { serverRootCACertificate: ca } : {}),
    ...(name === undefined ? {} : { serverNameOverride: name }),
  };
  const wanted =
    config.TEMPORAL_TLS ?? (config.TEMPORAL_API_KEY !== undefined || Object.keys(details).length > 0);
  return {
    address,
    ...(wanted ? { tls: Object.keys(details).length > 0 ? details : true } : {}),
    ...(config.TEMPORAL_API_KEY === undefined ? {} : { apiKey: config.TEMPORAL_API_KEY }),
  };
}

async function patiently<T>(address: string, connect: () => Promise<T>): Promise<T> {
  const until = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > until) {
        throw new AppError(
          `Temporal does not answer at ${address} (${describeError(error)}). Start it, or correct TEMPORAL_ADDRESS, ` +
            'or leave it unset to use the embedded server.',
          { code: 'TEMPORAL_UNREACHABLE', verdict: 'fail', cause: error },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** A client for starting and watching runs. Throws AppError TEMPORAL_UNREACHABLE. Close its connection after use. */
export async function connectClient(
  config: Config,
  { address, namespace }: TemporalAddress,
): Promise<Client> {
  const options = await connectionOptions(config, address);
  const connection = await patiently(address, () => Connection.connect({ ...options, connectTimeout: '5s' }));
  return new Client({ connection, namespace });
}

/** The connection that workers poll through. Throws AppError TEMPORAL_UNREACHABLE. */
export async function connectWorker(config: Config, { address }: TemporalAddress): Promise<NativeConnection> {
  const options = await connectionOptions(config, address);
  return patiently(address, () => NativeConnection.connect(options));
}
