import { type AllRegions, measureAllRegions } from './support/measure-all-regions.ts';
import { measureForge, ORDER_CASES, ORDERS, RESTARTED, USUAL } from './support/measure-forge.ts';
import { measureOrderDay, type OrderDay } from './support/measure-order-day.ts';
import { runParts } from './support/measure-parts.ts';
import type { MeasuredRun } from './support/measure-run.ts';
import { inRaw, medianOf, type Raw, type Round, roundLines } from './support/measure-rounds.ts';
import { type Bound, type Line, median, megabytes, rounded, ROUNDS } from './support/report.ts';
import { direct, type Path, startTemporal, throughTemporal } from './support/run-paths.ts';

/** What a bound limits, and how it is computed from a run and the raw reading of its round. */
const MEASURES = {
  'wall, in raw': ({ seconds }: MeasuredRun, raw: Raw) => seconds / raw.seconds,
  'Node CPU, in raw': ({ nodeCpu }: MeasuredRun, raw: Raw) => nodeCpu / raw.cpu,
  'PostgreSQL CPU, s': ({ postgresCpu }: MeasuredRun) => postgresCpu,
  'disk, MB': ({ disk }: MeasuredRun) => megabytes(disk),
} as const;

/** The bounds of the cases. */
const BOUNDS: Readonly<Record<string, Readonly<Partial<Record<keyof typeof MEASURES, number>>>>> = {
  'first load': { 'wall, in raw': 2.2 },
  unchanged: { 'wall, in raw': 0.6, 'disk, MB': 1 },
  [USUAL]: {
    'wall, in raw': 1.4,
    'Node CPU, in raw': 2,
    'PostgreSQL CPU, s': 0.4,
    'disk, MB': 4,
  },
  '2 % changed': { 'wall, in raw': 1.6, 'disk, MB': 25 },
};

/** Seconds in which the published rows of The Forge are read from the table. */
const RESTART = 1.5;

/** The share of a run's time that Temporal may take. */
const TEMPORAL_SHARE = 0.1;

/** Megabytes of memory that the process may use while it reads all regions. */
const PEAK_MEMORY = 350;

/** Megabytes that the database may grow by, and that may be written, in a day of all regions every five minutes. */
const DAY_GROWTH = 150;
const DAY_WRITTEN = 2_000;

/** Milliseconds that the event loop may be held, so that heartbeats and requests are answered. */
const LONGEST_HOLD = 50;

/** The bound of a steady sweep over all regions, in raw readings. */
const STEADY = 1.4;

const NOTES = [
  `raw: reading ${ORDERS} orders with 20 connections at 50 ms, gunzip and JSON.parse, and nothing else.`,
  'Medians of the rounds, ratios within a round; each round measures everything again, on new databases.',
  'Every run stands between two checkpoints, so that each page that it touches is written to the log as a whole; disk is',
  'what PostgreSQL wrote to files (pg_stat_io), the second checkpoint included, new files of the log not.',
  '0.13 % and 2 % changed: every page answers 200, because its ETag is another one.',
  'After the first load comes a VACUUM, as autovacuum does it within a minute.',
  'First load: the universe is known, player structures are not: their placeholders are included.',
  'All regions: VmHWM of a process with the engine alone; 50 regions in progress, 10 reading activities at once; the',
  'steady sweeps follow the first load in the same process, each with 0.13 % changed.',
  'A day: six hours of sweeps every five minutes and one checkpoint, four times; any order changes with the same chance.',
];

/** The orders of The Forge and of all regions, against reading them. */
export const benchMarket = (): Promise<boolean> =>
  runParts({
    name: 'market',
    notes: NOTES,
    parts: {
      async forge(servers) {
        const paths = [direct, throughTemporal(await startTemporal(servers))];
        const rounds = await measureForge(servers, paths, ROUNDS);
        return {
          lines: roundLines(rounds, paths, ORDER_CASES),
          bounds: [
            ...paths.flatMap((path) => [...forgeBounds(rounds, path), restartBound(rounds, path)]),
            ...temporalShares(rounds),
          ],
          raw: { forge: rounds },
        };
      },
      async regions(servers) {
        const temporals = [undefined, await startTemporal(servers)];
        const all = await measureAllRegions(servers, temporals);
        const names = [direct.name, 'Temporal'];
        return {
          lines: all.flatMap((each, i) => allRegionsLines(names[i]!, each)),
          bounds: all.flatMap((each, i) => allRegionsBounds(names[i]!, each)),
          raw: { allRegions: all },
        };
      },
      async day(servers) {
        const day = await measureOrderDay(servers);
        return { lines: [dayLine(day)], bounds: dayBounds(day), raw: { day } };
      },
    },
  });

function forgeBounds(rounds: readonly Round[], { name }: Path): Bound[] {
  return Object.entries(BOUNDS).flatMap(([of, limits]) =>
    Object.entries(limits).map(([what, limit]) => ({
      demand: `${name}: ${of}: ${what}`,
      limit,
      measured: rounded(medianOf(rounds, name, of, MEASURES[what as keyof typeof MEASURES])),
    })),
  );
}

/** What a new process needs more than one that knows the published rows. */
const restartBound = (rounds: readonly Round[], { name }: Path): Bound => ({
  demand: `${name}: reading the published rows, s`,
  limit: RESTART,
  measured: rounded(
    median(rounds.map(({ paths }) => paths[name]![RESTARTED]!.seconds - paths[name]![USUAL]!.seconds)),
  ),
});

/** The time that Temporal adds to each case, as a share of the whole. */
function temporalShares(rounds: readonly Round[]): Bound[] {
  return ORDER_CASES.map(({ name }) => {
    const through = inRaw(rounds, 'Temporal', name);
    const share = (through - inRaw(rounds, direct.name, name)) / through;
    return { demand: `Temporal's share: ${name}`, limit: TEMPORAL_SHARE, measured: rounded(share) };
  });
}

function allRegionsLines(name: string, { first, steady, regions, peakMb, raw }: AllRegions): Line[] {
  const steadySeconds = median(steady.map(({ seconds }) => seconds));
  return [
    {
      what: `${name}: all ${regions} regions, first load`,
      seconds: rounded(first.seconds),
      raw: rounded(first.seconds / raw.seconds),
      'rows touched': first.rows,
    },
    {
      what: `${name}: all ${regions} regions, 0.13 % changed`,
      seconds: rounded(steadySeconds),
      raw: rounded(steadySeconds / raw.seconds),
      'Node CPU': rounded(median(steady.map(({ cpu }) => cpu))),
      'rows touched': median(steady.map(({ rows }) => rows)),
      'peak MB': rounded(peakMb),
      'longest hold ms': rounded(median(steady.map(({ longestHold }) => longestHold))),
    },
  ];
}

const allRegionsBounds = (name: string, { steady, raw, peakMb }: AllRegions): Bound[] => [
  {
    demand: `${name}: all regions, 0.13 % changed, in raw`,
    limit: STEADY,
    measured: rounded(median(steady.map(({ seconds }) => seconds / raw.seconds))),
  },
  { demand: `${name}: all regions, peak MB of memory`, limit: PEAK_MEMORY, measured: rounded(peakMb) },
  {
    demand: `${name}: all regions, ms that the event loop is held`,
    limit: LONGEST_HOLD,
    measured: rounded(median(steady.map(({ longestHold }) => longestHold))),
  },
];

const dayLine = ({ growth, written, rows }: OrderDay): Line => ({
  what: 'a day of all regions every five minutes',
  'growth MB': megabytes(growth),
  'disk MB': megabytes(written),
  'rows touched': rows,
});

const dayBounds = ({ growth, written }: OrderDay): Bound[] => [
  { demand: 'a day of all regions: growth, MB', limit: DAY_GROWTH, measured: megabytes(growth) },
  { demand: 'a day of all regions: disk, MB', limit: DAY_WRITTEN, measured: megabytes(written) },
];
