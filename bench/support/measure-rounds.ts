import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { BenchServers } from './bench-servers.ts';
import { onCopy } from './databases.ts';
import { type MeasuredRun, measureRun, rowsTouched } from './measure-run.ts';
import { type Line, median, megabytes, rounded } from './report.ts';
import type { Collect, Path } from './run-paths.ts';

/** Milliseconds after which idle connections have reported what they wrote. */
const LATE_REPORTS = 11_000;

/** The simulated latency of an answer. */
export const LATENCY_MS = 50;

/** Reading and `JSON.parse` of all answers, and nothing else. */
export interface Raw {
  readonly seconds: number;
  readonly cpu: number;
}

/** A run of a round. */
export interface Case {
  readonly name: string;
  /** The share of the rows that has changed since the run before; undefined for the first one. */
  readonly churn?: number;
  /** Every page answers 200, because its ETag is another one. */
  readonly isModified?: boolean;
  /** The process has just started: it reads the published rows from the table. */
  readonly isRestarted?: boolean;
}

/** One round: the raw reading, and all cases on every path. */
export interface Round {
  readonly raw: Raw;
  readonly paths: Readonly<Record<string, Readonly<Record<string, MeasuredRun>>>>;
}

export interface RoundOptions {
  readonly template: string;
  readonly paths: readonly Path[];
  readonly rounds: number;
  readonly measureRaw: (databaseUrl: string) => Promise<Raw>;
  readonly measurePath: (path: Path, databaseUrl: string) => Promise<Record<string, MeasuredRun>>;
}

/** Measures the raw reading and, one after another, every path, each on a new database. */
export async function measureRounds(servers: BenchServers, options: RoundOptions): Promise<Round[]> {
  const { template, paths, rounds, measureRaw, measurePath } = options;
  const done: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    const raw = await onCopy(servers, template, measureRaw);
    const results: Record<string, Record<string, MeasuredRun>> = {};
    // The order alternates, because the first path runs on a colder machine.
    for (const path of round % 2 === 1 ? paths : paths.toReversed()) {
      results[path.name] = await onCopy(servers, template, (url) => measurePath(path, url));
      console.log(`round ${round} of ${rounds}: raw ${raw.seconds.toFixed(2)} s, ${path.name} done`);
    }
    done.push({ raw, paths: results });
  }
  return done;
}

export interface CaseOptions {
  readonly pool: Pool;
  readonly target: string;
  readonly cases: readonly Case[];
  /** Makes ESI have a newer snapshot, in which this share of the rows has changed. */
  readonly nextSnapshot: (churn: number) => Promise<void>;
  /** Lets the engine forget the published rows. */
  readonly forgetRows: () => void;
}

export async function measureCases(
  servers: BenchServers,
  collect: Collect,
  { pool, target, cases, nextSnapshot, forgetRows }: CaseOptions,
): Promise<Record<string, MeasuredRun>> {
  const results: Record<string, MeasuredRun> = {};
  for (const { name, churn, isModified, isRestarted } of cases) {
    if (churn !== undefined) await nextSnapshot(churn);
    if (isModified) await pool.query(`UPDATE esi_cache SET etag = '"none"'`);
    if (isRestarted) forgetRows();
    results[name] = await measureRun(servers, collect, target);
    if (churn !== undefined) continue;
    await pool.query('VACUUM'); // as autovacuum does within a minute of a first load
    await sleep(LATE_REPORTS);
  }
  return results;
}

/** The median over the rounds of a number of one case. */
export const medianOf = (
  rounds: readonly Round[],
  path: string,
  of: string,
  pick: (run: MeasuredRun, raw: Raw) => number,
) => median(rounds.map(({ paths, raw }) => pick(paths[path]![of]!, raw)));

/** The median ratio of the rounds: what slowed a run also slowed the raw reading of its round. */
export const inRaw = (rounds: readonly Round[], path: string, of: string) =>
  medianOf(rounds, path, of, (run, raw) => run.seconds / raw.seconds);

/** A line for the raw reading and one for each case on each path. */
export function roundLines(rounds: readonly Round[], paths: readonly Path[], cases: readonly Case[]): Line[] {
  return [
    {
      what: 'raw: reading and JSON.parse',
      seconds: rounded(median(rounds.map(({ raw }) => raw.seconds))),
      raw: 1,
      'Node CPU': rounded(median(rounds.map(({ raw }) => raw.cpu))),
    },
    ...paths.flatMap(({ name }) =>
      cases.map((each) => {
        const of = (pick: (run: MeasuredRun) => number) => medianOf(rounds, name, each.name, pick);
        return {
          what: `${name}: ${each.name}`,
          seconds: rounded(of((run) => run.seconds)),
          raw: rounded(inRaw(rounds, name, each.name)),
          'Node CPU': rounded(of((run) => run.nodeCpu)),
          'PostgreSQL CPU': rounded(of((run) => run.postgresCpu)),
          'disk MB': megabytes(of((run) => run.disk)),
          'WAL MB': megabytes(of((run) => run.wal)),
          'rows touched': of(rowsTouched),
        };
      }),
    ),
  ];
}
