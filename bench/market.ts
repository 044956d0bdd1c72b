import { type Case, CASES, type ForgeRound, measureForge, ORDERS } from './support/forge.ts';
import { rowsTouched } from './support/measure-run.ts';
import { direct, type Path, startTemporal, throughTemporal } from './support/paths.ts';
import { type Bound, type Line, median, rounded, writeReport } from './support/report.ts';
import { withServers } from './support/servers.ts';
import { measureSweeps, type Sweep } from './support/sweep.ts';

/** The middle one of three counts: one disturbed round does not tell. */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);

/** The demanded bounds, in yardsticks. */
const AT_MOST: Readonly<Partial<Record<Case, number>>> = {
  'first load': 2,
  unchanged: 1,
  '2 % changed': 1.3,
};

/** Megabytes of log that a set without a change may write. */
const UNCHANGED_WAL = 1;
/** Of the time of a run, what goes through Temporal may take. */
const TEMPORAL_SHARE = 0.1;
/** Megabytes that the process may have while it reads all regions. */
const PEAK_MEMORY = 350;

const NOTES = [
  `Y: reading ${ORDERS} orders with 20 connections at 50 ms, then COPY into an empty copy of the table with its indexes.`,
  'Medians of the rounds, ratios within a round; each measures everything anew, on databases of its own.',
  'WAL is the difference of pg_current_wal_lsn(); there is a CHECKPOINT before the first load only.',
  'First load: the universe is known, structures of players are not: their placeholders are part of it.',
  'Memory: VmHWM of a process that holds the engine alone; 50 regions in flight, 10 reading activities at once.',
];

const megabytes = (bytes: number) => rounded(bytes / 2 ** 20);
const seconds = (rounds: readonly ForgeRound[], path: string, of: Case) =>
  median(rounds.map((round) => round.paths[path]![of].seconds));

/** Market orders of The Forge against the yardstick, and of all regions within a memory. */
export async function benchMarket(): Promise<boolean> {
  let held = false;
  await withServers(async (servers) => {
    const address = await startTemporal(servers);
    const paths = [direct, throughTemporal(address)];
    const rounds = await measureForge(servers, paths, ROUNDS);
    const sweeps = await measureSweeps(servers, [undefined, address]);
    held = await writeReport({
      name: 'market',
      postgres: servers.postgresVersion,
      notes: NOTES,
      lines: [...forgeLines(rounds, paths), ...sweeps.map((sweep, i) => sweepLine(paths[i]!, sweep))],
      bounds: [
        ...paths.flatMap((path) => forgeBounds(rounds, path)),
        ...shares(rounds),
        ...sweeps.map((sweep, i) => sweepBound(paths[i]!, sweep)),
      ],
      raw: { rounds, sweeps },
    });
  });
  return held;
}

/** The middle ratio of the rounds: what disturbed the machine disturbed the yardstick of the same round as well. */
const inYardsticks = (rounds: readonly ForgeRound[], path: string, of: Case) =>
  median(rounds.map((round) => round.paths[path]![of].seconds / round.yardstick.total));

function forgeLines(rounds: readonly ForgeRound[], paths: readonly Path[]): Line[] {
  const y = median(rounds.map((round) => round.yardstick.total));
  const read = median(rounds.map((round) => round.yardstick.read));
  const copy = median(rounds.map((round) => round.yardstick.copy));
  return [
    { what: `yardstick (read ${rounded(read)} s, COPY ${rounded(copy)} s)`, seconds: rounded(y), Y: 1 },
    ...paths.flatMap((path) =>
      CASES.map((of) => {
        const last = rounds.at(-1)!.paths[path.name]![of];
        const wal = median(rounds.map((round) => round.paths[path.name]![of].wal));
        const rows = rowsTouched(last);
        return {
          what: `${path.name}: ${of}`,
          seconds: rounded(seconds(rounds, path.name, of)),
          Y: rounded(inYardsticks(rounds, path.name, of)),
          'WAL MB': megabytes(wal),
          'rows touched': rows,
          ...(rows > 0 ? { 'WAL bytes per row': Math.round(wal / rows) } : {}),
        };
      }),
    ),
  ];
}

function forgeBounds(rounds: readonly ForgeRound[], path: Path): Bound[] {
  const times = Object.entries(AT_MOST).map(([of, limit]) => ({
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

/** What Temporal adds to each case, as a share of the whole. */
function shares(rounds: readonly ForgeRound[]): Bound[] {
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

function sweepLine(path: Path, { seconds: time, regions, rows, peakMb }: Sweep): Line {
  return {
    what: `${path.name}: all ${regions} regions, first load`,
    seconds: rounded(time),
    'rows touched': rows,
    'peak MB': rounded(peakMb),
  };
}

const sweepBound = (path: Path, { peakMb }: Sweep): Bound => ({
  demand: `${path.name}: all regions, peak MB of memory`,
  limit: PEAK_MEMORY,
  measured: rounded(peakMb),
});
