import { join } from 'node:path';
import { storeAffiliations, refreshAffiliations } from '../../src/engine/owners/refresh-affiliations.ts';
import { takeDueRuns } from '../../src/engine/owners/due-runs.ts';
import { encryptTokens } from '../../src/engine/owners/token-service.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { onCopy } from './databases.ts';
import { type BenchClock, benchClock, benchEngine } from './bench-engine.ts';
import type { Measured } from './measure-parts.ts';
import { ASSIGNMENTS, assignAll, charactersOf, insertLogins } from './insert-owners.ts';
import { type Line, median, rounded, timed } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

const MINUTE = 60_000;

/** With four collectors each this makes 10,000 assignments. */
const CHARACTERS = 2_500;

/** Ten characters per corporation. All names are known before the measurement. */
const CORPORATIONS = 250;

/** Measured minutes. In each of them another sixtieth of an hour's assignments is due. */
const MINUTES = 10;

/** Seconds that a run may take, of the sixty until the next one. */
const MAX_SECONDS = 1;

/** The seconds of each step of a dispatcher run, and how much it found to do. */
export interface DispatcherRun {
  readonly encrypt: number;
  readonly take: number;
  readonly refresh: number;
  readonly due: number;
  readonly stale: number;
}

const total = ({ encrypt, take, refresh }: DispatcherRun) => encrypt + take + refresh;

/** Runs the dispatcher once, as the workflow `dispatch` does. */
async function runDispatcher(context: EngineContext): Promise<DispatcherRun> {
  const encrypt = await timed(() => encryptTokens(context));
  const take = await timed(() => takeDueRuns(context));
  const refresh = await timed(() => refreshAffiliations(context, {}));
  return {
    encrypt: encrypt.seconds,
    take: take.seconds,
    refresh: refresh.seconds,
    due: take.result.length,
    stale: refresh.result,
  };
}

/** Measures the dispatcher with 10,000 assignments: a sixtieth of them due, and all due at once. */
export async function measureDispatcher(servers: BenchServers, template: string): Promise<Measured> {
  const simulator = await servers.simulator({
    characters: CHARACTERS,
    corporations: CORPORATIONS,
    'no-limits': true,
  });
  try {
    return await onCopy(servers, template, async (databaseUrl) => {
      const clock = benchClock();
      const { url: esiUrl, sdeUrl, ssoUrl } = simulator;
      const dataDir = join(servers.dir, 'sde');
      const engine = benchEngine({ databaseUrl, esiUrl, sdeUrl, ssoUrl, dataDir, clock });
      try {
        return await measure(engine.context, clock);
      } finally {
        await engine.close();
      }
    });
  } finally {
    await simulator.stop();
  }
}

async function measure(context: EngineContext, clock: BenchClock): Promise<Measured> {
  const { pool } = context.db;
  const ids = charactersOf(CHARACTERS);
  await insertLogins(context, ids);
  await assignAll(context, ids);
  await storeAffiliations(context, ids, {});
  const hour = `$1::timestamptz + make_interval(mins => (row_number() OVER (ORDER BY random()) % 60)::int)`;
  const spread = (table: string, id: string, column: string) =>
    pool.query(
      `UPDATE ${table} t SET ${column} = s.at FROM (SELECT ${id}, ${hour} AS at FROM ${table}) s WHERE s.${id} = t.${id}`,
      [new Date(clock.now())],
    );
  await spread('collector_assignments', 'id', 'next_collection_at');
  await spread('characters', 'character_id', 'affiliation_until');
  await pool.query('VACUUM ANALYZE');
  const first = await runDispatcher(context);
  const hourly: DispatcherRun[] = [];
  for (let i = 0; i < MINUTES; i++) {
    clock.advance(MINUTE);
    hourly.push(await runDispatcher(context));
  }
  await pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
  await pool.query('UPDATE characters SET affiliation_until = NULL');
  const atOnce: DispatcherRun[] = [];
  for (let one = await runDispatcher(context); one.due > 0; one = await runDispatcher(context)) {
    atOnce.push(one);
    clock.advance(1_000); // less than ten minutes: taken assignments are not due again
  }
  return measured(first, hourly, atOnce);
}

function lineOf(what: string, runs: readonly DispatcherRun[]): Line {
  const ms = (pick: (one: DispatcherRun) => number) => rounded(median(runs.map(pick)) * 1_000);
  return {
    what,
    runs: runs.length,
    'median ms': ms(total),
    'slowest ms': rounded(Math.max(...runs.map(total)) * 1_000),
    'encrypt ms': ms((one) => one.encrypt),
    'take ms': ms((one) => one.take),
    'refresh ms': ms((one) => one.refresh),
    due: median(runs.map((one) => one.due)),
    stale: median(runs.map((one) => one.stale)),
  };
}

function measured(
  first: DispatcherRun,
  hourly: readonly DispatcherRun[],
  atOnce: readonly DispatcherRun[],
): Measured {
  const assignments = (CHARACTERS * ASSIGNMENTS.length).toLocaleString('en');
  const usual = `a dispatcher run, ${assignments} assignments`;
  const full = `a dispatcher run, ${assignments} due at once`;
  const slowest = (runs: readonly DispatcherRun[]) => rounded(Math.max(...runs.map(total)));
  return {
    lines: [
      lineOf('the first dispatcher run: scopes are split', [first]),
      lineOf(usual, hourly),
      lineOf(full, atOnce),
    ],
    bounds: [
      { demand: `${usual}: slowest, seconds`, limit: MAX_SECONDS, measured: slowest(hourly) },
      { demand: `${full}: slowest, seconds`, limit: MAX_SECONDS, measured: slowest(atOnce) },
    ],
    raw: { dispatcher: { first, hourly, atOnce } },
  };
}
