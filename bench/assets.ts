import { ASSETS } from './support/asset-owner.ts';
import { type AssetHistory, ASKED, measureHistory, SETS } from './support/asset-history.ts';
import { type AssetRound, type Case, CASES, measureCharacter } from './support/character-assets.ts';
import {
  CORPORATION_ASSETS,
  type CorporationRun,
  type CorporationRuns,
  measureCorporation,
} from './support/corporation-assets.ts';
import { makeTemplate } from './support/databases.ts';
import type { Measured } from './support/measured.ts';
import { rowsTouched } from './support/measure-run.ts';
import { direct, type Path, startTemporal, throughTemporal } from './support/paths.ts';
import { type Bound, type Line, median, rounded, writeReport } from './support/report.ts';
import { type BenchServers, withServers } from './support/servers.ts';

/** The middle one of three counts: one disturbed round does not tell. */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);

const TEMPLATE = 'assets';

/** Demanded: a first load in yardsticks. */
const FIRST_LOAD = 2;
/** Demanded: of the first load's log, what a set without a change may write. */
const UNCHANGED_WAL = 0.01;
/**
 * Of the first load's log, what a set with 1 % changed may write: 1 % would be in proportion to rows written once; a
 * changed row is written twice (the row, and a wider row of `asset_diffs` with three indexes), and scattered rows touch
 * pages that rows side by side share.
 */
const CHANGED_WAL = 0.05;
/** Demanded: megabytes that the process may have while it collects a corporation's million. */
const PEAK_MEMORY = 400;
/** Demanded: the space of a hundred sets in sets, and a look back in readings of the whole table. */
const HISTORY_SPACE = 3;
const LOOK_BACK = 3;

const NOTES = [
  `Y: reading ${ASSETS} assets with 20 connections at 50 ms, their names and places (the ids that the product asks for),`,
  'then COPY, names and places included, into an empty copy of `assets` with its indexes.',
  'Medians of the rounds, ratios within a round; each measures everything anew, on databases of its own.',
  'WAL is the difference of pg_current_wal_lsn(); there is a CHECKPOINT before the first load only.',
  'Before the first load the path has run once, for nobody: a worker loads its workflows with the first run it has.',
  'First load: the universe is known, structures of players are not: their placeholders are part of it.',
  'Unchanged: pages answer 304; names and places, which ESI gives without ETags, are asked for again each time.',
  'A set is an hour later, with a login from before it: the hourly renewal of a token is no part of it.',
  '1 % changed: a changed row is written to `assets` and, as it was, to `asset_diffs` with its three indexes.',
  'Memory: VmHWM of a process that holds the engine alone; unchanged and 1 % changed are later runs in the same process.',
  `History: ${SETS} sets after the first, with VACUUM whenever autovacuum's threshold is passed, and at the end;`,
  `set ${ASKED} is read back by a client that receives all rows, and compared with what was published then.`,
];

const megabytes = (bytes: number) => rounded(bytes / 2 ** 20);

const PARTS: Readonly<Record<string, (servers: BenchServers) => Promise<Measured>>> = {
  character: partOfCharacter,
  corporation: partOfCorporation,
  history: partOfHistory,
};

/**
 * Assets: 50,000 against the yardstick, a corporation's million within a memory, and a hundred sets of history.
 * `BENCH_PART=character`, `corporation` or `history` measures that alone.
 */
export async function benchAssets(): Promise<boolean> {
  const lines: Line[] = [];
  const bounds: Bound[] = [];
  const raw: Record<string, unknown> = {};
  let postgres = '';
  const only = process.env['BENCH_PART'];
  await withServers(async (servers) => {
    postgres = servers.postgresVersion;
    const simulator = await servers.simulator('--universe', 'full', '--no-limits');
    await makeTemplate(servers, TEMPLATE, simulator);
    await simulator.stop();
    for (const [name, measure] of Object.entries(PARTS)) {
      if (only !== undefined && only !== name) continue;
      const measured = await measure(servers);
      lines.push(...measured.lines);
      bounds.push(...measured.bounds);
      Object.assign(raw, measured.raw);
    }
  });
  return writeReport({ name: 'assets', postgres, notes: NOTES, lines, bounds, raw });
}

async function partOfCharacter(servers: BenchServers): Promise<Measured> {
  const paths = [direct, throughTemporal(await temporalOf(servers))];
  const rounds = await measureCharacter(servers, TEMPLATE, paths, ROUNDS);
  return {
    lines: characterLines(rounds, paths),
    bounds: paths.flatMap((path) => characterBounds(rounds, path)),
    raw: { rounds },
  };
}

/** One Temporal server for all parts. */
let temporal: Promise<string> | undefined;
const temporalOf = (servers: BenchServers) => (temporal ??= startTemporal(servers));

/** The middle ratio of the rounds: what disturbed the machine disturbed the yardstick of the same round as well. */
const inYardsticks = (rounds: readonly AssetRound[], path: string, of: Case) =>
  median(rounds.map((round) => round.paths[path]![of].seconds / round.yardstick.total));

/** Of the first load's log in the same round. */
const shareOfLog = (rounds: readonly AssetRound[], path: string, of: Case) =>
  median(rounds.map(({ paths }) => paths[path]![of].wal / paths[path]!['first load'].wal));

function characterLines(rounds: readonly AssetRound[], paths: readonly Path[]): Line[] {
  const of = (pick: (round: AssetRound) => number) => rounded(median(rounds.map(pick)));
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
          what: `${name}: ${each}`,
          seconds: of((round) => round.paths[name]![each].seconds),
          Y: rounded(inYardsticks(rounds, name, each)),
          'WAL MB': megabytes(wal),
          '% of WAL': rounded(100 * shareOfLog(rounds, name, each)),
          'rows touched': rows,
          ...(rows > 0 ? { 'WAL bytes per row': Math.round(wal / rows) } : {}),
        };
      }),
    ),
  ];
}

function characterBounds(rounds: readonly AssetRound[], { name }: Path): Bound[] {
  return [
    {
      demand: `${name}: first load, in Y`,
      limit: FIRST_LOAD,
      measured: rounded(inYardsticks(rounds, name, 'first load')),
    },
    {
      demand: `${name}: unchanged, share of the first WAL`,
      limit: UNCHANGED_WAL,
      measured: rounded(shareOfLog(rounds, name, 'unchanged')),
    },
    {
      demand: `${name}: 1 % changed, share of the first WAL`,
      limit: CHANGED_WAL,
      measured: rounded(shareOfLog(rounds, name, '1 % changed')),
    },
  ];
}

async function partOfCorporation(servers: BenchServers): Promise<Measured> {
  const temporals = [undefined, await temporalOf(servers)];
  const runs = await measureCorporation(servers, TEMPLATE, temporals);
  const named = (index: number) => `${index === 0 ? direct.name : 'Temporal'}: a corporation's`;
  return {
    lines: runs.flatMap((one, i) => corporationLines(named(i), one)),
    bounds: runs.map(({ changed }, i) => ({
      demand: `${named(i)} ${CORPORATION_ASSETS}, peak MB of memory`,
      limit: PEAK_MEMORY,
      measured: rounded(changed.peakMb),
    })),
    raw: { corporation: runs },
  };
}

function corporationLines(name: string, { first, unchanged, changed }: CorporationRuns): Line[] {
  const line = (what: string, { seconds, rows, peakMb }: CorporationRun): Line => ({
    what: `${name} ${what}`,
    seconds: rounded(seconds),
    'rows touched': rows,
    'peak MB': rounded(peakMb),
  });
  return [
    line(`${CORPORATION_ASSETS}, first load`, first),
    line('unchanged', unchanged),
    line('1 % changed', changed),
  ];
}

async function partOfHistory(servers: BenchServers): Promise<Measured> {
  const history = await measureHistory(servers, TEMPLATE);
  const { oneSet, assets, diffs, readNow, readThen } = history;
  return {
    lines: historyLines(history),
    bounds: [
      {
        demand: `${SETS} sets of 1 % each, space in sets`,
        limit: HISTORY_SPACE,
        measured: rounded((assets + diffs) / oneSet),
      },
      {
        demand: `assets_at of set ${ASKED}, in readings of the table`,
        limit: LOOK_BACK,
        measured: rounded(readThen / readNow),
      },
      {
        demand: `set ${ASKED} read back, sets that differ`,
        limit: 0,
        measured: history.isSame ? 0 : 1,
      },
    ],
    raw: { history },
  };
}

function historyLines(history: AssetHistory): Line[] {
  const { oneSet, assets, diffs, diffRows, touched, rows, readNow, readThen } = history;
  return [
    { what: 'the first set on disk', MB: megabytes(oneSet), rows: ASSETS },
    { what: `assets after ${SETS} sets`, MB: megabytes(assets), rows, 'rows touched': touched },
    { what: `asset_diffs after ${SETS} sets`, MB: megabytes(diffs), rows: diffRows },
    { what: 'reading the table', seconds: rounded(readNow), rows },
    { what: `assets_at of set ${ASKED}`, seconds: rounded(readThen), rows },
  ];
}
