import { Client } from 'pg';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import {
  type CommandRunner,
  createCommandRunner,
  type RunningUp,
  simulatorSettings,
} from './collector-process.ts';
import { emptyDatabase } from './test-database.ts';
import { type TestTemporal, testTemporal } from './test-temporal.ts';

/** An `up` on the test servers, which collects the orders of region 10000032. */
export interface TestUp {
  readonly sim: Simulator;
  readonly databaseUrl: string;
  readonly temporal: TestTemporal;
  readonly runner: CommandRunner;
  readonly running: RunningUp;
  /** Kills the process (kill -9) and starts it again. */
  restart(): Promise<void>;
  /** Runs a statement in its database. */
  query(text: string): Promise<void>;
  /** The answer of `/health`. */
  health(): Promise<{ status: string }>;
  close(): Promise<void>;
}

/** Starts an `up` on a database, a namespace and a simulated ESI of its own. `prepare` changes the ESI before the start. */
export async function startTestUp(
  { settings, ...options }: SimulatorOptions & { readonly settings?: Record<string, string> },
  prepare: (sim: Simulator) => void = () => undefined,
): Promise<TestUp> {
  const [sim, temporal, database] = await Promise.all([
    startSimulator(options),
    testTemporal(),
    emptyDatabase(),
  ]);
  prepare(sim);
  const runner = await createCommandRunner({
    ...simulatorSettings(sim),
    DATABASE_URL: database.url,
    DATABASE_MAX_CONNECTIONS: '10',
    DATABASE_MIN_CONNECTIONS: '0',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    MARKET_REGIONS: '10000032',
    ...settings,
  });
  let running = await runner.up();
  return {
    sim,
    databaseUrl: database.url,
    temporal,
    runner,
    get running() {
      return running;
    },
    async restart() {
      running.child.kill('SIGKILL');
      await running.ended;
      running = await runner.up();
    },
    async query(text) {
      const client = new Client({ connectionString: database.url });
      await client.connect();
      try {
        await client.query(text);
      } finally {
        await client.end();
      }
    },
    health: async () =>
      (await (await fetch(`${running.endpoints.http}/health`)).json()) as { status: string },
    async close() {
      await runner.close(); // kills `up`, whose servers are not its own
      await Promise.all([temporal.close(), database.drop(), sim.close()]);
    },
  };
}
