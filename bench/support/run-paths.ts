import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { freePort } from '../../src/embedded/ports.ts';
import { findTemporalCli } from '../../src/embedded/temporal-cli.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal.ts';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { RunSummary } from '../../src/engine/run/run-steps.ts';
import { silentLog } from '../../src/lib/log.ts';
import { startWorkers } from '../../src/temporal/workers.ts';
import { UNLIMITED } from './bench-engine.ts';
import type { BenchServers } from './bench-servers.ts';

const NAMESPACE = 'bench';

/** Makes one run of a target. */
export type Collect = (target: string) => Promise<RunSummary>;

/** A way to collect targets: directly, or through Temporal. */
export interface Path {
  readonly name: string;
  /** Runs `work` with a function that collects a target, and stops what it started for that. */
  use<T>(context: EngineContext, collector: string, work: (collect: Collect) => Promise<T>): Promise<T>;
}

/** Calls the steps one after another in this process. */
export const direct: Path = {
  name: 'direct',
  use: (context, collector, work) => work((target) => collectTarget(context, { collector, target })),
};

/** Starts the embedded Temporal server as the product does, with its state on disk. Returns its address. */
export async function startTemporal(servers: BenchServers): Promise<string> {
  const cacheDir = fileURLToPath(new URL('../../../node_modules/.cache/eve-data-collector', import.meta.url));
  const temporal = await startEmbeddedTemporal({
    dir: join(servers.dir, 'temporal'),
    namespace: NAMESPACE,
    cliPath: await findTemporalCli({ cacheDir, log: silentLog }),
    port: await freePort(),
    uiPort: await freePort(),
    log: silentLog,
  });
  servers.atEnd(() => temporal.stop());
  return temporal.address;
}

/** Collects through workflows and the product's workers, which run in this process. */
export function throughTemporal(address: string): Path {
  return {
    name: 'Temporal',
    use: (context, collector, work) =>
      withWorkers(address, context, (client) =>
        work((target) => execute(client, collector, target) as Promise<RunSummary>),
      ),
  };
}

/** The SDK logs the start and end of every worker; only its errors matter here. A process installs one Runtime. */
let isSilent = false;
function silenceSdkLog(): void {
  if (!isSilent) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isSilent = true;
}

/** Runs `work` while the product's workers poll. */
export async function withWorkers<T>(
  address: string,
  context: EngineContext,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  silenceSdkLog();
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const workers = await startWorkers(context, {
    connection: native,
    namespace: NAMESPACE,
    esiRateLimit: UNLIMITED,
  });
  try {
    return await work(new Client({ connection, namespace: NAMESPACE }));
  } finally {
    await workers.stop();
    await connection.close();
    await native.close();
  }
}

/** Runs the workflow `collect` to its end, for one target or for all. */
export function execute(client: Client, collector: string, target: string | undefined): Promise<unknown> {
  return client.workflow.execute('collect', {
    taskQueue: 'collect',
    workflowId: target === undefined ? `${collector} of all` : `${collector}/${target}`,
    args: [{ collector, ...(target === undefined ? {} : { target }) }],
  });
}
