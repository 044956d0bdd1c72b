import { join } from 'node:path';
import { storeAffiliations, refreshAffiliations } from '../../src/engine/owners/refresh-affiliations.ts';
import { takeDueRuns } from '../../src/engine/owners/due-runs.ts';
import { encryptTokens } from '../../src/engine/owners/token-service.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { onCopy } from './databases.ts';
import { type BenchClock, benchClock, benchEngine } from './engine.ts';
import type { Measured } from './measured.ts';
import { ASSIGNED, assignAll, charactersOf, insertLogins } from './owner-rows.ts';
import { type Line, median, rounded, timed } from './report.ts';
import type { BenchServers } from './servers.ts';

const MINUTE = 60_000;

/** With four collectors each: 10,000 assignments. */
const CHARACTERS = 2_500;

/** Ten to a corporation: all their names are known before anything is measured. */
const CORPORATIONS = 250;

/** Minutes looked at: each sees another sixtieth of what is due within the hour. */
const LOOKS = 10;

/** Seconds that a look may take, of the sixty until the next. */
const AT_MOST = 1;

/** Seconds of each part of what the dispatcher does in a minute, and how much it found to do. */
export interface Look {
  readonly seal: number;
  readonly take: number;
  readonly tend: number;
  readonly due: number;
  readonly stale: number;
}

const total = ({ seal, take, tend }: Look) => seal + take + tend;

/** One minute's look of the dispatcher, as the workflow `dispatch` does it. */
async function look(context: EngineContext): Promise<Look> {
  const seal = await timed(() => encryptTokens(context));
  const take = await timed(() => takeDueRuns(context));
  const tend = await timed(() => refreshAffiliations(context, {}));
  return {
    ...{ seal: seal.seconds, take: take.seconds, tend: tend.seconds },
    ...{ due: take.result.length, stale: tend.result },
  };
}

/** What a minute's look over 10,000 assignments costs: a sixtieth due as in any hour, and everything due at once. */
export async function measureLooks(servers: BenchServers, template: string): Promise<Measured> {
  const simulator = await servers.simulator(
    ...['--characters', String(CHARACTERS), '--corporations', String(CORPORATIONS), '--no-limits'],
  );
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
  const first = await look(context);
  const hourly: Look[] = [];
  for (let i = 0; i < LOOKS; i++) {
    clock.advance(MINUTE);
    hourly.push(await look(context));
  }
  await pool.query('UPDATE collector_assignments SET next_collection_at = NULL');
  await pool.query('UPDATE characters SET affiliation_until = NULL');
  const atOnce: Look[] = [];
  for (let one = await look(context); one.due > 0; one = await look(context)) {
    atOnce.push(one);
    clock.advance(1_000); // far from ten minutes: what was taken is not due again
  }
  return measured(first, hourly, atOnce);
}

function lineOf(what: string, looks: readonly Look[]): Line {
  const ms = (pick: (one: Look) => number) => rounded(median(looks.map(pick)) * 1_000);
  return {
    what,
    looks: looks.length,
    ...{ 'median ms': ms(total), 'worst ms': rounded(Math.max(...looks.map(total)) * 1_000) },
    ...{
      'seal ms': ms((one) => one.seal),
      'take ms': ms((one) => one.take),
      'tend ms': ms((one) => one.tend),
    },
    ...{ due: median(looks.map((one) => one.due)), stale: median(looks.map((one) => one.stale)) },
  };
}

function measured(first: Look, hourly: readonly Look[], atOnce: readonly Look[]): Measured {
  const assignments = (CHARACTERS * ASSIGNED.length).toLocaleString('en');
  const usual = `a look at ${assignments} assignments`;
  const full = `a look, ${assignments} due at once`;
  const worst = (looks: readonly Look[]) => rounded(Math.max(...looks.map(total)));
  return {
    lines: [lineOf('the first look: scopes are split', [first]), lineOf(usual, hourly), lineOf(full, atOnce)],
    bounds: [
      { demand: `${usual}: worst, seconds`, limit: AT_MOST, measured: worst(hourly) },
      { demand: `${full}: worst, seconds`, limit: AT_MOST, measured: worst(atOnce) },
    ],
    raw: { looks: { first, hourly, atOnce } },
  };
}
