import { EsiClient, type EsiClientOptions } from '../../src/esi/esi-client.ts';
import type { EsiRequest } from '../../src/esi/esi-request.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts';
import { testRateLimiter } from './test-rate-limiter.ts';
import { type TestClock, testClock } from './test-clock.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

export const FORGE_ORDERS = {
  route: '/markets/{region_id}/orders',
  params: { region_id: 10000002 },
  query: { order_type: 'all' },
} as const satisfies EsiRequest;

/** A route without a bucket: it counts against the old error limit. */
export const PRICES = { route: '/markets/prices' } as const satisfies EsiRequest;

export interface TestEsi {
  readonly client: EsiClient;
  readonly sim: Simulator;
  readonly clock: TestClock;
  /** The statuses of the requests received, in order; 0 for a request that got no answer. */
  statuses(): number[];
  close(): Promise<void>;
}

/** A client and a simulated ESI, on a clock that the test moves. */
export async function testEsi(
  options: SimulatorOptions & { start?: string; client?: Partial<EsiClientOptions> } = {},
): Promise<TestEsi> {
  const clock = testClock(Date.parse(options.start ?? '2026-11-20T14:00:00Z'));
  const sim = await startSimulator({ clock, ...options });
  const client = new EsiClient({
    baseUrl: sim.url,
    userAgent: TEST_USER_AGENT,
    rateLimiter: testRateLimiter(clock),
    clock,
    log: silentLog,
    ...options.client,
  });
  return {
    client,
    sim,
    clock,
    statuses: () => sim.requests().map((request) => request.status),
    async close() {
      await client.close();
      await sim.close();
    },
  };
}

/** The EsiError that a request fails with. Throws when it succeeds or fails with another error. */
export async function errorOf(work: Promise<unknown>): Promise<EsiError> {
  const error = await work.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof EsiError) return error;
  throw error;
}
