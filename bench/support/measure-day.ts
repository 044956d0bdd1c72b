import type { Pool } from 'pg';
import type { LimitUsage, Offence, OffenceKind } from '../../simulator/index.ts';
import { onCopy } from './databases.ts';
import { type DispatcherTimes, runDay } from './run-day.ts';
import { type DayContext, MIDNIGHT, withDay } from './day-context.ts';
import { DayStatistics } from './day-statistics.ts';
import type { Measured } from './measure-parts.ts';
import { ASSIGNMENTS, charactersOf } from './insert-owners.ts';
import { type Bound, type Line, median, rounded, timed } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

// oxlint-disable-next-line node/no-process-env -- a setting of the bench only
const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);

const CHARACTERS = setting('BENCH_OWNERS', 1_000);
const HOURS = setting('BENCH_HOURS', 24);

/**
 * Minutes between two runs of each assignment; 0 means the product's intervals of 10 to 60 minutes. Those make twice as
 * many runs, which take 16 ms each and an hour of bench.
 */
const INTERVAL = setting('BENCH_OWNERS_EVERY', 60);

/** The dispatcher runs once a minute, and the runs that it starts together wait for each other. */
const MINUTES_LATE = 2;

const MB = 2 ** 20;

/** Sums of `collection_runs` and sizes at a moment. */
interface DatabaseState {
  readonly wal: number;
  readonly bytes: number;
  readonly runsBytes: number;
  readonly rows: number;
  readonly written: number;
}

async function readState(pool: Pool): Promise<DatabaseState> {
  const { rows } = await pool.query<DatabaseState>(
    `SELECT (pg_current_wal_lsn() - '0/0')::float8 AS wal, pg_database_size(current_database()) AS bytes,
            pg_total_relation_size('collection_runs') AS "runsBytes", count(*) AS rows,
            coalesce(sum(rows_inserted + rows_changed + rows_removed), 0)::float8 AS written
       FROM collection_runs`,
  );
  return rows[0]!;
}

interface Hour extends DatabaseState {
  readonly hour: number;
  readonly runs: number;
  readonly seconds: number;
}

export interface DayResult {
  readonly dispatcher: DispatcherTimes;
  readonly statistics: DayStatistics;
  readonly seconds: number;
  readonly before: DatabaseState;
  readonly hours: readonly Hour[];
  readonly offences: readonly Offence[];
  readonly limits: readonly LimitUsage[];
  readonly refreshes: number;
  readonly never: number;
  readonly lateMs: readonly number[];
}

/** Measures a simulated day of all collectors of many characters. */
export async function measureDay(servers: BenchServers, template: string): Promise<Measured> {
  const minutes = new Map(ASSIGNMENTS.map((one) => [one.collector, (INTERVAL || one.minutes) * 60_000]));
  const statistics = new DayStatistics(minutes);
  const characterIds = charactersOf(CHARACTERS);
  const result = await onCopy(servers, template, (databaseUrl) =>
    withDay(
      {
        databaseUrl,
        dir: servers.dir,
        characterIds,
        minutes: INTERVAL || undefined,
        onAnswer: (status) => statistics.request(status),
      },
      (day) => measureOneDay(day, characterIds, statistics),
    ),
  );
  return { lines: linesOf(result), bounds: boundsOf(result), raw: { day: rawOf(result) } };
}

async function measureOneDay(
  { context, simulator, clock }: DayContext,
  characterIds: readonly number[],
  statistics: DayStatistics,
): Promise<DayResult> {
  const { pool } = context.db;
  simulator.resetCounters();
  await clock.sleep(MIDNIGHT - clock.now());
  const before = await readState(pool);
  const hours: Hour[] = [];
  const started = performance.now();
  const hourDone = async (hour: number) => {
    const seconds = (performance.now() - started) / 1_000;
    hours.push({ hour, runs: statistics.runs, seconds, ...(await readState(pool)) });
    console.log(`hour ${hour} of ${HOURS}: ${statistics.runs} runs, ${Math.round(seconds)} s`);
  };
  const day = { context, simulator, clock, characterIds, statistics, hourDone };
  const { seconds, result: dispatcher } = await timed(() => runDay(day, HOURS));
  return {
    dispatcher,
    statistics,
    seconds,
    before,
    hours,
    offences: simulator.offences(),
    limits: simulator.limitUsage(),
    refreshes: simulator.sso.requests().refresh_token,
    ...statistics.close(characterIds.length * ASSIGNMENTS.length, clock.now()),
  };
}

function kindsOf(offences: readonly Offence[]): Partial<Record<OffenceKind, number>> {
  const kinds: Partial<Record<OffenceKind, number>> = {};
  for (const { kind } of offences) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

const refusedOf = (limits: readonly LimitUsage[]) => limits.find(({ name }) => name === 'all')?.refused ?? 0;

function boundsOf(result: DayResult): Bound[] {
  const { offences, limits, never, lateMs, statistics } = result;
  const exceeded = limits.filter(({ allowed, most }) => allowed !== null && most > allowed).length;
  return [
    { demand: 'the day: offences against ESI', limit: 0, measured: offences.length },
    { demand: 'the day: requests refused (420, 429)', limit: 0, measured: refusedOf(limits) },
    { demand: 'the day: buckets exceeded', limit: 0, measured: exceeded },
    { demand: 'the day: assignments not collected again', limit: 0, measured: never },
    {
      demand: 'the day: longest delay in minutes',
      limit: MINUTES_LATE,
      measured: rounded((lateMs.at(-1) ?? 0) / 60_000),
    },
    {
      demand: 'the day: runs failed',
      limit: 0,
      measured: Object.values(statistics.errors).reduce((a, b) => a + b, 0),
    },
  ];
}

function linesOf(result: DayResult): Line[] {
  const { statistics, dispatcher, seconds, before, hours, limits, refreshes, lateMs } = result;
  const { statuses, runs } = statistics;
  const after = hours.at(-1)!;
  const beforeLastHour = hours.at(-2) ?? { ...before, runs: 0 };
  const requests = Object.values(statuses).reduce((sum, n) => sum + n, 0);
  const all = limits.find(({ name }) => name === 'all');
  const minutes = (share: number) => rounded((lateMs[Math.floor((lateMs.length - 1) * share)] ?? 0) / 60_000);
  const rows = after.rows - before.rows;
  const idleRuns = after.runs - beforeLastHour.runs;
  return [
    {
      what: `${CHARACTERS} characters, ${HOURS} simulated hours`,
      runs,
      requests,
      '304 %': rounded((100 * (statuses['304'] ?? 0)) / requests),
      'most requests a minute': all?.most ?? 0,
      'tokens refreshed': refreshes,
      'real ms a run': rounded((seconds * 1_000) / runs),
    },
    {
      what: 'longest delay of an assignment, minutes',
      median: minutes(0.5),
      p99: minutes(0.99),
      max: minutes(1),
    },
    {
      what: 'runs of the dispatcher',
      runs: dispatcher.seconds.length,
      'median ms': rounded(median(dispatcher.seconds) * 1_000),
      'slowest ms': rounded(Math.max(...dispatcher.seconds) * 1_000),
      'still running': dispatcher.running,
    },
    {
      what: 'growth of the database',
      'rows written': after.written - before.written,
      'rows of runs': rows,
      'MB grown': rounded((after.bytes - before.bytes) / MB),
      'MB of runs': rounded(after.runsBytes / MB),
      'bytes a row of runs': Math.round((after.runsBytes - before.runsBytes) / rows),
      'WAL KB a run': rounded((after.wal - before.wal) / 1_024 / runs),
    },
    {
      what: 'the last hour, without changes',
      runs: idleRuns,
      'rows written': after.written - beforeLastHour.written,
      'WAL KB a run': rounded((after.wal - beforeLastHour.wal) / 1_024 / idleRuns),
    },
  ];
}

function rawOf({
  statistics,
  dispatcher,
  seconds,
  before,
  hours,
  offences,
  limits,
  lateMs,
}: DayResult): object {
  const { outcomes, statuses, errors } = statistics;
  return {
    characters: CHARACTERS,
    hours: HOURS,
    minutes: INTERVAL,
    seconds,
    outcomes,
    statuses,
    errors,
    offences: kindsOf(offences),
    examples: offences.slice(0, 10),
    fullest: limits
      .toSorted((a, b) => b.most / (b.allowed ?? Infinity) - a.most / (a.allowed ?? Infinity))
      .slice(0, 5),
    late: lateMs.slice(-20),
    running: dispatcher.running,
    before,
    hourly: hours,
  };
}
