import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** A line of the table: what was measured, its numbers, and a ratio where a bound exists. */
export type Line = { readonly what: string } & Readonly<Record<string, string | number>>;

/** A bound and the value measured against it. */
export interface Bound {
  readonly demand: string;
  readonly limit: number;
  readonly measured: number;
}

export interface Report {
  readonly name: string;
  readonly postgres: string;
  readonly notes: readonly string[];
  readonly lines: readonly Line[];
  readonly bounds: readonly Bound[];
  /** Raw numbers of each round. */
  readonly raw: object;
}

/** Rounds of a bench. The median of three leaves out one disturbed round. */
// oxlint-disable-next-line node/no-process-env -- a setting of the bench only
export const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);

/** Two runs differ in the third digit already. */
export const rounded = (value: number) => Number(value.toPrecision(3));

export const megabytes = (bytes: number) => rounded(bytes / 2 ** 20);

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs `work` and returns the seconds that it takes with its result. */
export async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const started = performance.now();
  const result = await work();
  return { seconds: (performance.now() - started) / 1_000, result };
}

/** Prints the table and writes `bench/results/NAME.json`. Returns whether every bound held. */
export async function writeReport(report: Report): Promise<boolean> {
  const bounds = report.bounds.map((bound) => ({ ...bound, held: bound.measured <= bound.limit }));
  const machine = {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres: report.postgres,
  };
  console.log(
    `\n${report.name}: ${machine.cores} cores, node ${machine.node}, PostgreSQL ${machine.postgres}`,
  );
  console.table(Object.fromEntries(report.lines.map(({ what, ...numbers }) => [what, numbers])));
  console.table(
    Object.fromEntries(
      bounds.map(({ demand, limit, measured, held }) => [demand, { limit, measured, held }]),
    ),
  );
  for (const note of report.notes) console.log(`- ${note}`);
  const dir = join('bench', 'results');
  await mkdir(dir, { recursive: true });
  const { name, notes, lines, raw } = report;
  const content = { name, date: new Date().toISOString(), machine, notes, lines, bounds, raw };
  const file = join(dir, `${name}.json`);
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
  console.log(`\nwritten to ${file}`);
  return bounds.every(({ held }) => held);
}
