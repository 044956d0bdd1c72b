import { join } from 'node:path';
import { EsiClient } from '../../src/esi/esi-client.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { FIRST_CORPORATION, type Simulator, startSimulator } from '../../simulator/index.ts';
import { dayBudget, addClock } from './day-budget.ts';
import { dayClock } from './day-clock.ts';
import { AGENT, benchEngine } from './engine.ts';
import { logIn } from './logins.ts';
import { assignAll } from './owner-rows.ts';

/** Midnight: the day has EVE's downtime in its middle, which the product does not expect of a simulated ESI. */
export const MIDNIGHT = Date.parse('2026-11-20T00:00:00Z');

/** Before the day: everybody is logged in by then. */
const SETTING_UP = 3_600_000;

/** Characters to a corporation: so that the public routes that name corporations are asked, too. */
const MEMBERS = 10;

/**
 * Nothing of a day is lost that would be missed: its commits do not wait for the disk, on connections made from now on.
 * What is written is the same.
 */
const UNHURRIED = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`;

/** The engine and the simulated ESI in one process and in one virtual time. */
export interface DayHouse {
  readonly context: EngineContext;
  readonly simulator: Simulator;
  readonly clock: Clock;
}

export interface DayOptions {
  readonly databaseUrl: string;
  /** Of the servers. */
  readonly dir: string;
  readonly characterIds: readonly number[];
  /** Between two runs, instead of what the product assigns. */
  readonly minutes: number | undefined;
  /** Hears of every answer. */
  readonly answered: (status: string) => void;
}

/** Runs `work` with everybody logged in and assigned. */
export async function withDay<T>(options: DayOptions, work: (app: DayHouse) => Promise<T>): Promise<T> {
  const { databaseUrl, dir, characterIds } = options;
  const clock = dayClock(MIDNIGHT - SETTING_UP);
  const characters = characterIds.map((id, i) => ({
    id,
    corporationId: FIRST_CORPORATION + Math.floor(i / MEMBERS),
  }));
  const simulator = await startSimulator({ clock: clock.aside, owners: { characters } });
  const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
  const engine = benchEngine({
    databaseUrl,
    esiUrl,
    sdeUrl,
    ssoUrl,
    dataDir: join(dir, 'sde'),
    clock: clock.aside,
  });
  clock.attend(engine.context.db.pool);
  await engine.context.db.pool.query(UNHURRIED);
  await addClock(engine.context.db);
  const budget = dayBudget(engine.context.db, clock);
  const esi = new EsiClient({
    baseUrl: esiUrl,
    userAgent: AGENT,
    rateLimiter: budget,
    clock,
    log: silentLog,
    downtime: false, // as the product does with a simulated ESI on this machine
    observe: (_route, status) => options.answered(status),
  });
  const context: EngineContext = {
    ...engine.context,
    // Piece by piece, since a run may ask for several things at once.
    esi: {
      get: (request) => clock.working(() => esi.get(request)),
      post: (request) => clock.working(() => esi.post(request)),
    },
  };
  try {
    await logIn(context, async (method, id) => simulator.sso[method](id), characterIds);
    await assignAll(context, characterIds, options.minutes);
    return await work({ context, simulator, clock: clock.aside });
  } finally {
    await budget.close();
    await esi.close();
    await engine.close();
    await simulator.close();
  }
}
