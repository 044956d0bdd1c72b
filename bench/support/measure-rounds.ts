import type { Pool } from 'pg';
import type { BenchServers } from './bench-servers.ts';
import { onCopy } from './databases.ts';
import { type MeasuredRun, measureRun, rowsTouched } from './measure-run.ts';
import { type Line, median, megabytes, rounded } from './report.ts';
import type { Collect, Path } from './run-paths.ts';
import type { Yardstick } from './yardstick.ts';

/** The simulated latency of an answer. */
export const LATENCY_MS = 50;

/** The runs of a round, in order. In the last one a share of the rows has changed. */
export const CASES = ['first load', 'unchanged', 'unchanged, all ETags invalid', 'changed'] as const;
export type Case = (typeof CASES)[number];

/** One round: the yardstick and all cases on every path. */
export interface Round {
  readonly yardstick: Yardstick;
  readonly paths: Readonly<Record<string, Readonly<Record<Case, MeasuredRun>>>>;
}

export interface RoundOptions {
  readonly template: string;
  readonly paths: readonly Path[];
  readonly rounds: number;
  readonly measureYardstick: (databaseUrl: string) => Promise<Yardstick>;
  readonly measurePath: (path: Path, databaseUrl: string) => Promise<Record<Case, MeasuredRun>>;
}

/** Measures the yardstick and, one after another, every path, each on a new database. */
export async function measureRounds(servers: BenchServers, options: RoundOptions): Promise<Round[]> {
  const { template, paths, rounds, measureYardstick, measurePath } = options;
  const done: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    const yardstick = await onCopy(servers, template, measureYardstick);
    const results: Record<string, Record<Case, MeasuredRun>> = {};
    // The order alternates, because the first path runs on a colder machine.
    for (const path of round % 2 === 1 ? paths : paths.toReversed()) {
      results[path.name] = await onCopy(servers, template, (url) => measurePath(path, url));
      const seconds = yardstick.total.toFixed(2);
      console.log(`round ${round} of ${rounds}: yardstick ${seconds} s, ${path.name} done`);
    }
    done.push({ yardstick, paths: results });
  }
  return done;
}

export interface CaseOptions {
  readonly pool: Pool;
  readonly target: string;
  /** The share of the rows that changes in the last case. */
  readonly churn: number;
  /** Makes ESI have a newer snapshot, in which this share of the rows has changed. */
  readonly nextSnapshot: (churn: number) => Promise<void>;
}

export async function measureCases(
  servers: BenchServers,
  collect: Collect,
  { pool, target, churn, nextSnapshot }: CaseOptions,
): Promise<Record<Case, MeasuredRun>> {
  const measure = () => measureRun(servers, collect, target);
  await servers.admin('CHECKPOINT');
  const first = await measure();
  await nextSnapshot(0);
  const unchanged = await measure();
  await nextSnapshot(0);
  await pool.query(`UPDATE esi_cache SET etag = '"none"'`);
  const invalid = await measure();
  await nextSnapshot(churn);
  const changed = await measure();
  return { 'first load': first, unchanged, 'unchanged, all ETags invalid': invalid, changed };
}

/** The median ratio of the rounds: what slowed a run also slowed the yardstick of its round. */
export const inYardsticks = (rounds: readonly Round[], path: string, of: Case) =>
  median(rounds.map((round) => round.paths[path]![of].seconds / round.yardstick.total));

/** The write-ahead log of a case as a share of that of the first load in the same round. */
export const shareOfWal = (rounds: readonly Round[], path: string, of: Case) =>
  median(rounds.map(({ paths }) => paths[path]![of].wal / paths[path]!['first load'].wal));

/** A line for the yardstick and one for each case on each path. */
export function roundLines(rounds: readonly Round[], paths: readonly Path[], churn: number): Line[] {
  const of = (pick: (round: Round) => number) => rounded(median(rounds.map(pick)));
  const read = of((round) => round.yardstick.read);
  const copy = of((round) => round.yardstick.copy);
  return [
    {
      what: `yardstick (read ${read} s, COPY ${copy} s)`,
      seconds: of((round) => round.yardstick.total),
      Y: 1,
    },
    ...paths.flatMap(({ name }) =>
      CASES.map((each) => {
        const rows = of((round) => rowsTouched(round.paths[name]![each]));
        const wal = median(rounds.map((round) => round.paths[name]![each].wal));
        return {
          what: `${name}: ${each === 'changed' ? `${churn * 100} % changed` : each}`,
          seconds: of((round) => round.paths[name]![each].seconds),
          Y: rounded(inYardsticks(rounds, name, each)),
          'WAL MB': megabytes(wal),
          '% of first WAL': rounded(100 * shareOfWal(rounds, name, each)),
          'rows touched': rows,
          ...(rows > 0 ? { 'WAL bytes per row': Math.round(wal / rows) } : {}),
        };
      }),
    ),
  ];
}
