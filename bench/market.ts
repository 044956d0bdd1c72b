import { type AllRegions, measureAllRegions } from './support/measure-all-regions.ts';
import { measureForge, ORDER_CHURN, ORDERS } from './support/measure-forge.ts';
import { runParts } from './support/measure-parts.ts';
import { type Case, CASES, inYardsticks, type Round, roundLines } from './support/measure-rounds.ts';
import { type Bound, type Line, median, megabytes, rounded, ROUNDS } from './support/report.ts';
import { direct, type Path, startTemporal, throughTemporal } from './support/run-paths.ts';

/** The bounds in yardsticks. */
const MAX_YARDSTICKS: Readonly<Partial<Record<Case, number>>> = {
  'first load': 2,
  unchanged: 1,
  changed: 1.3,
};

/** Megabytes of log that a snapshot without a change may write. */
const UNCHANGED_WAL = 1;

/** The share of a run's time that Temporal may take. */
const TEMPORAL_SHARE = 0.1;

/** Megabytes of memory that the process may use while it reads all regions. */
const PEAK_MEMORY = 350;

const NOTES = [
  `Y: reading ${ORDERS} orders with 20 connections at 50 ms, then COPY into an empty copy of the table with its indexes.`,
  'Medians of the rounds, ratios within a round; each round measures everything again, on new databases.',
  'WAL is the difference of pg_current_wal_lsn(); there is a CHECKPOINT before the first load only.',
  'First load: the universe is known, player structures are not: their placeholders are included.',
  'Memory: VmHWM of a process with the engine alone; 50 regions in progress, 10 reading activities at once.',
];

/** The orders of The Forge against the yardstick, and of all regions within a bound of memory. */
export const benchMarket = (): Promise<boolean> =>
  runParts({
    name: 'market',
    notes: NOTES,
    parts: {
      async orders(servers) {
        const address = await startTemporal(servers);
        const paths = [direct, throughTemporal(address)];
        const rounds = await measureForge(servers, paths, ROUNDS);
        const allRegions = await measureAllRegions(servers, [undefined, address]);
        return {
          lines: [
            ...roundLines(rounds, paths, ORDER_CHURN),
            ...allRegions.map((each, i) => allRegionsLine(paths[i]!, each)),
          ],
          bounds: [
            ...paths.flatMap((path) => forgeBounds(rounds, path)),
            ...temporalShares(rounds),
            ...allRegions.map((each, i) => memoryBound(paths[i]!, each)),
          ],
          raw: { rounds, allRegions },
        };
      },
    },
  });

function forgeBounds(rounds: readonly Round[], path: Path): Bound[] {
  const times = Object.entries(MAX_YARDSTICKS).map(([of, limit]) => ({
    demand: `${path.name}: ${of}, in Y`,
    limit,
    measured: rounded(inYardsticks(rounds, path.name, of as Case)),
  }));
  const wal = Math.max(...rounds.map((round) => round.paths[path.name]!['unchanged'].wal));
  return [
    ...times,
    { demand: `${path.name}: unchanged, MB of WAL`, limit: UNCHANGED_WAL, measured: megabytes(wal) },
  ];
}

/** The time that Temporal adds to each case, as a share of the whole. */
function temporalShares(rounds: readonly Round[]): Bound[] {
  return CASES.map((of) => {
    const share = median(
      rounds.map(({ paths }) => {
        const through = paths['Temporal']![of].seconds;
        return (through - paths[direct.name]![of].seconds) / through;
      }),
    );
    return { demand: `Temporal's share: ${of}`, limit: TEMPORAL_SHARE, measured: rounded(share) };
  });
}

function allRegionsLine(path: Path, { seconds, regions, rows, peakMb }: AllRegions): Line {
  return {
    what: `${path.name}: all ${regions} regions, first load`,
    seconds: rounded(seconds),
    'rows touched': rows,
    'peak MB': rounded(peakMb),
  };
}

const memoryBound = (path: Path, { peakMb }: AllRegions): Bound => ({
  demand: `${path.name}: all regions, peak MB of memory`,
  limit: PEAK_MEMORY,
  measured: rounded(peakMb),
});
