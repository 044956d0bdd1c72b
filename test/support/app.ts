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
import { type TestDatabase, testDatabase } from './database.ts';
import { type TestTemporal, testTemporal } from './temporal.ts';

export interface TestApp {
  readonly sim: Simulator;
  readonly db: TestDatabase;
  readonly temporal: TestTemporal;
  readonly config: Config;
  readonly app: App;
  /** Starts the two workers of a process. */
  work(): Promise<RunningWorkers>;
  /** Starts the workflow `collect`, under the business id unless another is given. */
  start(input: CollectInput, workflowId?: string): Promise<WorkflowHandle>;
  /** The run's result. */
  collect(input: CollectInput, workflowId?: string): Promise<Record<string, unknown>>;
  /** Lets the target be asked again at once, or at `when`; ESI has a new set by then. */
  nextSet(regionId: number, when?: Date): Promise<void>;
  close(): Promise<void>;
}

/** What the workflow `collect` is started with. */
export interface CollectInput {
  readonly collector: string;
  readonly target?: string;
  readonly waitUntilDue?: boolean;
}

/** Settings for parts that are to work at once and in peace. */
export function testSettings(
  sim: Pick<Simulator, 'url' | 'sdeUrl'>,
  dataDir: string,
): Record<string, string> {
  return {
    DATA_DIR: dataDir,
    ESI_USER_AGENT: 'eve-collector-test (test@example.com)',
    ESI_BASE_URL: sim.url,
    SDE_BASE_URL: sim.sdeUrl,
    ESI_RATE_LIMIT: '1000000',
    ESI_BURST_LIMIT: '1000000',
    DATABASE_MIN_CONNECTIONS: '0',
    DATABASE_MAX_CONNECTIONS: '10',
  };
}

let runtimeIsQuiet = false;

/** One Runtime per process, and so per test file. */
export function quietRuntime(): void {
  if (!runtimeIsQuiet)
    Runtime.install({
      logger: new DefaultLogger('ERROR', () => undefined),
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
      shutdownSignals: [],
    });
  runtimeIsQuiet = true;
}

/** All real parts of a process on a database, a namespace and a simulated ESI of their own. No worker runs yet. */
export async function testApp(
  options: SimulatorOptions & { settings?: Record<string, string> } = {},
): Promise<TestApp> {
  quietRuntime();
  const [sim, db, temporal, dataDir] = await Promise.all([
    startSimulator(options),
    testDatabase(new Date()),
    testTemporal(),
    mkdtemp(path.join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-house-')),
  ]);
  const { client, address, namespace } = temporal;
  const config = readConfig({ ...testSettings(sim, dataDir), SSO_BASE_URL: sim.ssoUrl, ...options.settings });
  const app = await createApp(config, db.url, silentLog);
  const connection = await NativeConnection.connect({ address });
  const running: RunningWorkers[] = [];
  const start = (input: CollectInput, workflowId?: string) =>
    client.workflow.start('collect', {
      taskQueue: 'collect',
      workflowId: workflowId ?? [input.collector, ...(input.target ? [input.target] : [])].join('/'),
      args: [input],
    });
  return {
    ...{ sim, db, temporal, config, app, start },
    async work() {
      const workers = await startWorkers(app, { connection, namespace, esiRateLimit: 1_000_000 });
      running.push(workers);
      return workers;
    },
    async collect(input, workflowId) {
      return (await (await start(input, workflowId)).result()) as Record<string, unknown>;
    },
    async nextSet(regionId, when = new Date(0)) {
      sim.world.turn(regionId);
      await db.rows('UPDATE published_sets SET expires = $2 WHERE target = $1', [`region/${regionId}`, when]);
    },
    async close() {
      await Promise.all(running.map((workers) => workers.stop()));
      await connection.close();
      await app.close();
      await Promise.all([sim.close(), db.drop(), temporal.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
