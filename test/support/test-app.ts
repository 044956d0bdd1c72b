import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Runtime, DefaultLogger } from '@temporalio/worker';
import { silentLog } from '../../src/lib/log.ts';
import { type Config, readConfig } from '../../src/app/settings.ts';
import { type App, createApp } from '../../src/app/create-app.ts';
import { type RunningWorkers, startWorkers } from '../../src/temporal/workers.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import { type TestDatabase, testDatabase } from './test-database.ts';
import { type TestTemporal, testTemporal } from './test-temporal.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

export interface TestApp {
  readonly sim: Simulator;
  readonly db: TestDatabase;
  readonly temporal: TestTemporal;
  readonly config: Config;
  readonly context: App;
  /** Starts the two workers of a process. */
  startWorkers(): Promise<RunningWorkers>;
  /** Starts the workflow `collect`, under the business id unless another is given. */
  start(input: CollectInput, workflowId?: string): Promise<WorkflowHandle>;
  /** Runs the workflow `collect` and returns its result. */
  collect(input: CollectInput, workflowId?: string): Promise<Record<string, unknown>>;
  /** Makes ESI have a newer snapshot of the region and lets the published one expire at once, or at `when`. */
  nextSnapshot(regionId: number, when?: Date): Promise<void>;
  close(): Promise<void>;
}

/** The input of the workflow `collect`. */
export interface CollectInput {
  readonly collector: string;
  readonly target?: string;
  readonly waitUntilDue?: boolean;
}

/** Settings of a process that uses the simulated ESI and is not slowed down by the limit on all requests. */
export function testSettings(
  sim: Pick<Simulator, 'url' | 'sdeUrl'>,
  dataDir: string,
): Record<string, string> {
  return {
    DATA_DIR: dataDir,
    ESI_USER_AGENT: TEST_USER_AGENT,
    ESI_BASE_URL: sim.url,
    SDE_BASE_URL: sim.sdeUrl,
    ESI_RATE_LIMIT: '1000000',
    ESI_BURST_LIMIT: '1000000',
    DATABASE_MIN_CONNECTIONS: '0',
    DATABASE_MAX_CONNECTIONS: '10',
  };
}

let isRuntimeInstalled = false;

/** Installs a Temporal Runtime without log output. A process has one Runtime, and so has a test file. */
export function installSilentRuntime(): void {
  if (isRuntimeInstalled) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    shutdownSignals: [],
  });
  isRuntimeInstalled = true;
}

/** All parts of a process, with a database, a namespace and a simulated ESI of their own. No worker runs yet. */
export async function testApp(
  options: SimulatorOptions & { settings?: Record<string, string> } = {},
): Promise<TestApp> {
  installSilentRuntime();
  const [sim, db, temporal, dataDir] = await Promise.all([
    startSimulator(options),
    testDatabase(new Date()),
    testTemporal(),
    mkdtemp(path.join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-app-')),
  ]);
  const { client, address, namespace } = temporal;
  const config = readConfig({ ...testSettings(sim, dataDir), SSO_BASE_URL: sim.ssoUrl, ...options.settings });
  const context = await createApp(config, db.url, silentLog);
  const connection = await NativeConnection.connect({ address });
  const running: RunningWorkers[] = [];
  const start = (input: CollectInput, workflowId?: string) =>
    client.workflow.start('collect', {
      taskQueue: 'collect',
      workflowId: workflowId ?? [input.collector, ...(input.target ? [input.target] : [])].join('/'),
      args: [input],
    });
  return {
    sim,
    db,
    temporal,
    config,
    context,
    start,
    async startWorkers() {
      const workers = await startWorkers(context, { connection, namespace, esiRateLimit: 1_000_000 });
      running.push(workers);
      return workers;
    },
    async collect(input, workflowId) {
      return (await (await start(input, workflowId)).result()) as Record<string, unknown>;
    },
    async nextSnapshot(regionId, when = new Date(0)) {
      sim.world.takeSnapshot(regionId);
      await db.rows('UPDATE published_sets SET expires = $2 WHERE target = $1', [`region/${regionId}`, when]);
    },
    async close() {
      await Promise.all(running.map((workers) => workers.stop()));
      await connection.close();
      await context.close();
      await Promise.all([sim.close(), db.drop(), temporal.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
