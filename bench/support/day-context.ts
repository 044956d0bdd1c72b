import { join } from 'node:path';
import { EsiClient } from '../../src/esi/esi-client.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { FIRST_CORPORATION, type Simulator, startSimulator } from '../../simulator/index.ts';
import { dayRateLimiter, addVirtualClock } from './day-rate-limiter.ts';
import { dayClock } from './day-clock.ts';
import { BENCH_USER_AGENT, benchEngine } from './bench-engine.ts';
import { logIn } from './log-in-characters.ts';
import { assignAll } from './insert-owners.ts';

/** The day starts at midnight and contains EVE's downtime, which the product does not expect of a simulated ESI. */
export const MIDNIGHT = Date.parse('2026-11-20T00:00:00Z');

/** The virtual time for logging in before the day starts. */
const SET_UP_MS = 3_600_000;

/** Characters per corporation, so that the public routes of corporations are requested too. */
const MEMBERS = 10;

/** Commits of new connections do not wait for the disk, because the data is discarded. The same bytes are written. */
const ASYNC_COMMIT = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`;

/** The engine and the simulated ESI in one process, on one virtual clock. */
export interface DayContext {
  readonly context: EngineContext;
  readonly simulator: Simulator;
  readonly clock: Clock;
}

export interface DayOptions {
  readonly databaseUrl: string;
  /** The folder of the servers. */
  readonly dir: string;
  readonly characterIds: readonly number[];
  /** The interval of all assignments, instead of the product's. */
  readonly minutes: number | undefined;
  /** Called for every answer. */
  readonly onAnswer: (status: string) => void;
}

/** Runs `work` after all characters are logged in and assigned. */
export async function withDay<T>(options: DayOptions, work: (day: DayContext) => Promise<T>): Promise<T> {
  const { databaseUrl, dir, characterIds } = options;
  const clock = dayClock(MIDNIGHT - SET_UP_MS);
  const characters = characterIds.map((id, i) => ({
    id,
    corporationId: FIRST_CORPORATION + Math.floor(i / MEMBERS),
  }));
  const simulator = await startSimulator({ clock: clock.background, owners: { characters } });
  const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
  const engine = benchEngine({
    databaseUrl,
    esiUrl,
    sdeUrl,
    ssoUrl,
    dataDir: join(dir, 'sde'),
    clock: clock.background,
  });
  clock.watchPool(engine.context.db.pool);
  await engine.context.db.pool.query(ASYNC_COMMIT);
  await addVirtualClock(engine.context.db);
  const rateLimiter = dayRateLimiter(engine.context.db, clock);
  const esi = new EsiClient({
    baseUrl: esiUrl,
    userAgent: BENCH_USER_AGENT,
    rateLimiter,
    clock,
    log: silentLog,
    downtime: false, // as the product does with a simulated ESI on this machine
    observe: (_route, status) => options.onAnswer(status),
  });
  const context: EngineContext = {
    ...engine.context,
    // Each request is a task, because a run may send several at the same time.
    esi: {
      get: (request) => clock.runTask(() => esi.get(request)),
      post: (request) => clock.runTask(() => esi.post(request)),
      isFailing: () => esi.isFailing(),
    },
  };
  try {
    await logIn(context, async (method, id) => simulator.sso[method](id), characterIds);
    await assignAll(context, characterIds, options.minutes);
    return await work({ context, simulator, clock: clock.background });
  } finally {
    await rateLimiter.close();
    await esi.close();
    await engine.close();
    await simulator.close();
  }
}
