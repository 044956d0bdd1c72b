import { type BenchServers, withServers } from './bench-servers.ts';
import { type Bound, type Line, writeReport } from './report.ts';

/** The results of one part of a bench. */
export interface Measured {
  readonly lines: readonly Line[];
  readonly bounds: readonly Bound[];
  readonly raw: object;
}

/** A bench that consists of parts. */
export interface BenchOfParts {
  readonly name: string;
  readonly notes: readonly string[];
  readonly parts: Readonly<Record<string, (servers: BenchServers) => Promise<Measured>>>;
  /** Runs before the parts. */
  readonly prepare?: (servers: BenchServers) => Promise<void>;
}

/** Measures parts one after another and merges their results. */
export async function measureAll(parts: readonly (() => Promise<Measured>)[]): Promise<Measured> {
  const lines: Line[] = [];
  const bounds: Bound[] = [];
  const raw = {};
  for (const measure of parts) {
    const measured = await measure();
    lines.push(...measured.lines);
    bounds.push(...measured.bounds);
    Object.assign(raw, measured.raw);
  }
  return { lines, bounds, raw };
}

/** Measures all parts, or only the one that `BENCH_PART` names. Returns whether every bound held. */
export async function runParts({ name, notes, parts, prepare }: BenchOfParts): Promise<boolean> {
  // oxlint-disable-next-line node/no-process-env -- a setting of the bench only
  const only = process.env['BENCH_PART'];
  let held = false;
  await withServers(async (servers) => {
    await prepare?.(servers);
    const chosen = Object.entries(parts).filter(([part]) => only === undefined || only === part);
    const measured = await measureAll(
      chosen.map(
        ([, measure]) =>
          () =>
            measure(servers),
      ),
    );
    held = await writeReport({ name, notes, postgres: servers.postgresVersion, ...measured });
  });
  return held;
}
