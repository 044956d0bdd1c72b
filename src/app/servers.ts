import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isListening } from '../embedded/ports.ts';
import { startEmbeddedPostgres } from '../embedded/postgres.ts';
import { findTemporalCli } from '../embedded/temporal-cli.ts';
import { startEmbeddedTemporal } from '../embedded/temporal.ts';
import { describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Config } from './settings.ts';

/** The servers that everything else runs on. */
export interface Servers {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  /** Address of Temporal's Web UI; unknown for a server that is not embedded, none when it is switched off. */
  readonly temporalUi: string | undefined;
  stop(): Promise<void>;
}

/** How often (ms) an embedded server is checked. */
const CHECK_INTERVAL = 5_000;

interface Embedded {
  stop(): Promise<void>;
}

/** Restarts an embedded server on the same port when it has died. */
function restartWhenDead<T extends Embedded>(
  name: string,
  first: T,
  port: number,
  start: (port: number) => Promise<T>,
  log: Log,
): Embedded {
  let current: Embedded = first;
  let busy = Promise.resolve();
  let stopped = false;
  const check = async () => {
    if (stopped || (await isListening(port))) return;
    log.error({ port }, `the embedded ${name} has died; restarting it`);
    current = await start(port);
  };
  const timer = setInterval(() => {
    busy = busy
      .then(check)
      .catch((error: unknown) =>
        log.error({ error: describeError(error) }, `could not restart the embedded ${name}`),
      );
  }, CHECK_INTERVAL);
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await busy;
      await current.stop();
    },
  };
}

async function startPostgres(config: Config, log: Log) {
  if (config.DATABASE_URL !== undefined) return { url: config.DATABASE_URL, stop: async () => undefined };
  const dir = path.join(config.DATA_DIR, 'postgres');
  const start = (port?: number) =>
    startEmbeddedPostgres({ dir, log, ...(port === undefined ? {} : { port }) });
  log.info({}, 'starting the embedded PostgreSQL');
  const server = await start();
  const supervised = restartWhenDead('PostgreSQL', server, server.port, start, log);
  return { url: server.url, stop: () => supervised.stop() };
}

/** Where the Temporal CLI is downloaded to: once per installation where that is writable, else once per DATA_DIR. */
async function cacheDir(config: Config): Promise<string> {
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  const cache = path.join(modules, '.cache', 'eve-data-collector');
  try {
    await access(modules, constants.W_OK);
    await mkdir(cache, { recursive: true });
    await access(cache, constants.R_OK | constants.W_OK | constants.X_OK); // it may be another user's alone
    return cache;
  } catch {
    return path.join(config.DATA_DIR, 'cache');
  }
}

async function startTemporal(config: Config, log: Log) {
  const namespace = config.TEMPORAL_NAMESPACE;
  if (config.TEMPORAL_ADDRESS !== undefined) {
    return { address: config.TEMPORAL_ADDRESS, ui: undefined, stop: async () => undefined };
  }
  const cliPath = await findTemporalCli({
    ...(config.TEMPORAL_CLI_PATH === undefined ? {} : { cliPath: config.TEMPORAL_CLI_PATH }),
    cacheDir: await cacheDir(config),
    log,
  });
  const dir = path.join(config.DATA_DIR, 'temporal');
  const start = (port?: number) =>
    startEmbeddedTemporal({
      dir,
      namespace,
      cliPath,
      log,
      webUi: config.TEMPORAL_UI,
      ...(port === undefined ? {} : { port }),
    });
  log.info({}, 'starting the embedded Temporal server');
  const server = await start();
  const port = Number(server.address.split(':').at(-1));
  const supervised = restartWhenDead('Temporal server', server, port, start, log);
  return { address: server.address, ui: server.ui, stop: () => supervised.stop() };
}

/** Gives the database and the Temporal server that the settings name, else starts embedded ones under DATA_DIR. */
export async function startServers(config: Config, log: Log): Promise<Servers> {
  const [database, workflow] = await Promise.allSettled([
    startPostgres(config, log),
    startTemporal(config, log),
  ]);
  if (database.status === 'rejected' || workflow.status === 'rejected') {
    for (const started of [database, workflow])
      if (started.status === 'fulfilled') await started.value.stop();
    throw database.status === 'rejected' ? database.reason : (workflow as PromiseRejectedResult).reason;
  }
  return {
    databaseUrl: database.value.url,
    temporalAddress: workflow.value.address,
    temporalNamespace: config.TEMPORAL_NAMESPACE,
    temporalUi: workflow.value.ui,
    async stop() {
      await Promise.allSettled([workflow.value.stop(), database.value.stop()]);
    },
  };
}
