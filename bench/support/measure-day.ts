import type { Pool } from 'pg';
import type { LimitUsage, Offence, OffenceKind } from '../../simulator/index.ts';
import { onCopy } from './databases.ts';
import { type DayLooks, runDay } from './day.ts';
import { type DayHouse, MIDNIGHT, withDay } from './day-house.ts';
import { DayTally } from './day-tally.ts';
import type { Measured } from './measured.ts';
import { ASSIGNED, charactersOf } from './owner-rows.ts';
import { type Bound, type Line, median, rounded, timed } from './report.ts';
import type { BenchServers } from './servers.ts';

// oxlint-disable-next-line node/no-process-env -- a bench's own switch
const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);

const CHARACTERS = setting('BENCH_OWNERS', 1_000);
const HOURS = setting('BENCH_HOURS', 24);

/**
 * Minutes between two runs of everything; 0: what the product assigns, 10 to 60. That makes twice as many runs, at 16 ms
 * each an hour of bench.
 */
const EVERY = setting('BENCH_OWNERS_EVERY', 60);

/** The dispatcher looks once a minute, and what it starts together takes turns. */
const MINUTES_LATE = 2;

const MB = 2 ** 20;

/** Sums of `collection_runs` and sizes at a moment. */
interface Mark {
  readonly wal: number;
  readonly bytes: number;
  readonly runsBytes: number;
  readonly rows: number;
  readonly written: number;
}

async function mark(pool: Pool): Promise<Mark> {
  const { rows } = await pool.query<Mark>(
    `SELECT (pg_current_wal_lsn() - '0/0')::float8 AS wal, pg_database_size(current_database()) AS bytes,
            pg_total_relation_size('collection_runs') AS "runsBytes", count(*) AS rows,
            coalesce(sum(rows_inserted + rows_changed + rows_removed), 0)::float8 AS written
       FROM collection_runs`,
  );
  return rows[0]!;
}

interface Hour extends Mark {
  readonly hour: number;
  readonly runs: number;
  readonly seconds: number;
}

export interface DayResult {
  readonly looks: DayLooks;
  readonly tally: DayTally;
  readonly seconds: number;
  readonly before: Mark;
  readonly hours: readonly Hour[];
  readonly offences: readonly Offence[];
  readonly budget: readonly LimitUsage[];
  readonly refreshes: number;
  readonly never: number;
  readonly lateMs: readonly number[];
}

/** A simulated day of all collectors of many characters. */
export async function measureDay(servers: BenchServers, template: string): Promise<Measured> {
  const minutes = new Map(ASSIGNED.map((one) => [one.collector, (EVERY || one.minutes) * 60_000]));
  const tally = new DayTally(minutes);
  const characterIds = charactersOf(CHARACTERS);
  const result = await onCopy(servers, template, (databaseUrl) =>
    withDay(
      {
        ...{ databaseUrl, dir: servers.dir, characterIds, minutes: EVERY || undefined },
        answered: (status) => tally.request(status),
      },
      (app) => oneDay(app, characterIds, tally),
    ),
  );
  return { lines: linesOf(result), bounds: boundsOf(result), raw: { day: rawOf(result) } };
}

async function oneDay(
  { context, simulator, clock }: DayHouse,
  characterIds: readonly number[],
  tally: DayTally,
): Promise<DayResult> {
  const { pool } = context.db;
  simulator.resetCounters();
  await clock.sleep(MIDNIGHT - clock.now());
  const before = await mark(pool);
  const hours: Hour[] = [];
  const began = performance.now();
  const hourDone = async (hour: number) => {
    const seconds = (performance.now() - began) / 1_000;
    hours.push({ hour, runs: tally.runs, seconds, ...(await mark(pool)) });
    console.log(`hour ${hour} of ${HOURS}: ${tally.runs} runs, ${Math.round(seconds)} s`);
  };
  const day = { context, simulator, clock, characterIds, tally, hourDone };
  const { seconds, result: looks } = await timed(() => runDay(day, HOURS));
  return {
    ...{ looks, tally, seconds, before, hours },
    offences: simulator.offences(),
    budget: simulator.limitUsage(),
    refreshes: simulator.sso.requests().refresh_token,
    ...tally.close(characterIds.length * ASSIGNED.length, clock.now()),
  };
}

function kindsOf(offences: readonly Offence[]): Partial<Record<OffenceKind, number>> {
  const kinds: Partial<Record<OffenceKind, number>> = {};
  for (const { kind } of offences) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

const refusedOf = (budget: readonly LimitUsage[]) => budget.find(({ name }) => name === 'all')?.refused ?? 0;

function boundsOf(result: DayResult): Bound[] {
  const { offences, budget, never, lateMs, tally } = result;
  const overdrawn = budget.filter(({ allowed, most }) => allowed !== null && most > allowed).length;
  return [
    { demand: 'the day: offences against ESI', limit: 0, measured: offences.length },
    { demand: 'the day: requests refused (420, 429)', limit: 0, measured: refusedOf(budget) },
    { demand: 'the day: buckets overdrawn', limit: 0, measured: overdrawn },
    { demand: 'the day: assignments not collected again', limit: 0, measured: never },
    {
      demand: 'the day: minutes late at worst',
      limit: MINUTES_LATE,
      measured: rounded((lateMs.at(-1) ?? 0) / 60_000),
    },
    {
      demand: 'the day: runs failed',
      limit: 0,
      measured: Object.values(tally.errors).reduce((a, b) => a + b, 0),
    },
  ];
}

function linesOf(result: DayResult): Line[] {
  const { tally, looks, seconds, before, hours, budget, refreshes, lateMs } = result;
  const { statuses, runs } = tally;
  const after = hours.at(-1)!;
  const quiet = hours.at(-2) ?? { ...before, runs: 0 };
  const requests = Object.values(statuses).reduce((sum, n) => sum + n, 0);
  const all = budget.find(({ name }) => name === 'all');
  const minutes = (share: number) => rounded((lateMs[Math.floor((lateMs.length - 1) * share)] ?? 0) / 60_000);
  const rows = after.rows - before.rows;
  const quietRuns = after.runs - quiet.runs;
  return [
    {
      what: `${CHARACTERS} characters, ${HOURS} simulated hours`,
      ...{ runs, requests, '304 %': rounded((100 * (statuses['304'] ?? 0)) / requests) },
      ...{ 'most requests a minute': all?.most ?? 0, 'tokens refreshed': refreshes },
      'real ms a run': rounded((seconds * 1_000) / runs),
    },
    {
      what: 'how late assignments were at worst, minutes',
      ...{ median: minutes(0.5), p99: minutes(0.99), most: minutes(1) },
    },
    {
      what: 'looks of the dispatcher',
      ...{ looks: looks.seconds.length, 'median ms': rounded(median(looks.seconds) * 1_000) },
      ...{ 'worst ms': rounded(Math.max(...looks.seconds) * 1_000), 'under way already': looks.running },
    },
    {
      what: 'what it leaves in the database',
      ...{ 'rows written': after.written - before.written, 'rows of runs': rows },
      ...{
        'MB grown': rounded((after.bytes - before.bytes) / MB),
        'MB of runs': rounded(after.runsBytes / MB),
      },
      'bytes a row of runs': Math.round((after.runsBytes - before.runsBytes) / rows),
      'WAL KB a run': rounded((after.wal - before.wal) / 1_024 / runs),
    },
    {
      what: 'the last hour, in which nobody plays',
      ...{ runs: quietRuns, 'rows written': after.written - quiet.written },
      'WAL KB a run': rounded((after.wal - quiet.wal) / 1_024 / quietRuns),
    },
  ];
}

function rawOf({ tally, looks, seconds, before, hours, offences, budget, lateMs }: DayResult): object {
  const { outcomes, statuses, errors } = tally;
  return {
    ...{ characters: CHARACTERS, hours: HOURS, minutes: EVERY, seconds, outcomes, statuses, errors },
    ...{ offences: kindsOf(offences), examples: offences.slice(0, 10) },
    fullest: budget
      .toSorted((a, b) => b.most / (b.allowed ?? Infinity) - a.most / (a.allowed ?? Infinity))
      .slice(0, 5),
    late: lateMs.slice(-20),
    ...{ running: looks.running, before, hourly: hours },
  };
}
