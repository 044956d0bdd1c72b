import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import {
  type CommandRunner,
  createCommandRunner,
  type RunningUp,
  simulatorSettings,
} from './collector-process.ts';
import { emptyDatabase } from './test-database.ts';
import { testTemporal } from './test-temporal.ts';

/** An `up` on the test servers, which collects the orders of region 10000032. */
export interface TestUp {
  readonly sim: Simulator;
  readonly databaseUrl: string;
  readonly runner: CommandRunner;
  readonly running: RunningUp;
  /** The answer of `/health`. */
  health(): Promise<{ status: string }>;
  close(): Promise<void>;
}

/** Starts an `up` on a database, a namespace and a simulated ESI of its own. `prepare` changes the ESI before the start. */
export async function startTestUp(
  options: SimulatorOptions,
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
  });
  const running = await runner.up();
  return {
    sim,
    databaseUrl: database.url,
    runner,
    running,
    health: async () =>
      (await (await fetch(`${running.endpoints.http}/health`)).json()) as { status: string },
    async close() {
      await runner.close(); // kills `up`, whose servers are not its own
      await Promise.all([temporal.close(), database.drop(), sim.close()]);
    },
  };
}
