import { type AssetHistory, measureHistory, READ_BACK, SNAPSHOTS } from './support/asset-history.ts';
import { ASSETS } from './support/asset-owner.ts';
import type { BenchServers } from './support/bench-servers.ts';
import { makeTemplate } from './support/databases.ts';
import { ASSET_CASES, measureCharacterAssets } from './support/measure-character-assets.ts';
import {
  CORPORATION_ASSETS,
  type CorporationRun,
  type CorporationRuns,
  measureCorporation,
} from './support/measure-corporation-assets.ts';
import { type Measured, runParts } from './support/measure-parts.ts';
import { inRaw, type Round, roundLines } from './support/measure-rounds.ts';
import { type Bound, type Line, median, megabytes, rounded, ROUNDS } from './support/report.ts';
import { direct, type Path, startTemporal, throughTemporal } from './support/run-paths.ts';

const TEMPLATE = 'assets';

/** The bound of a snapshot with 1 % changed, in raw readings. */
const CHANGED = 1.5;

/** The bound of a snapshot without a change, as a share of the first load's log and disk. */
const UNCHANGED_SHARE = 0.01;

/**
 * The bound of a snapshot with 1 % changed, as a share of the first load's log and disk. 1 % would be proportional for rows that
 * are written once. A changed row is written twice (the row, and a wider row of `asset_diffs` with three indexes), and
 * scattered rows touch pages that adjacent rows share.
 */
const CHANGED_SHARE = 0.05;

/** Megabytes of memory that the process may use while it collects a corporation's million. */
const PEAK_MEMORY = 400;

/** The bound of the space of a hundred snapshots, in snapshots. */
const HISTORY_SPACE = 3;

/** The bound of reading an old snapshot, in reads of the whole table. */
const READ_BACK_TIME = 3;

const NOTES = [
  `raw: reading ${ASSETS} assets with 20 connections at 50 ms, then their names and positions (the ids that the product`,
  'requests), gunzip and JSON.parse, and nothing else.',
  'Medians of the rounds, ratios within a round; each round measures everything again, on new databases.',
  'Every run stands between two checkpoints; disk is what PostgreSQL wrote to files (pg_stat_io), the second one included.',
  'Before the first load the path has run once, for an unknown character: a worker loads its workflows at its first run.',
  'First load: the universe is known, player structures are not: their placeholders are included.',
  'Unchanged: pages answer 304; names and positions, which ESI returns without ETags, are requested again each time.',
  'A snapshot is an hour later, with a login from before it: the hourly renewal of a token is not included.',
  '1 % changed: a changed row is written to `assets` and, as it was, to `asset_diffs` with its three indexes.',
  'Memory: VmHWM of a process with the engine alone; unchanged and 1 % changed are later runs in the same process.',
  `History: ${SNAPSHOTS} snapshots after the first, with VACUUM whenever autovacuum's threshold is passed, and at the end;`,
  `snapshot ${READ_BACK} is read back by a client that receives all rows, and compared with what was published then.`,
];

/** Assets: 50,000 against reading them, a corporation's million within a bound of memory, a hundred snapshots of history. */
export const benchAssets = (): Promise<boolean> =>
  runParts({
    name: 'assets',
    notes: NOTES,
    async prepare(servers) {
      const simulator = await servers.simulator({ universe: 'full', 'no-limits': true });
      await makeTemplate(servers, TEMPLATE, simulator);
      await simulator.stop();
    },
    parts: { character: partOfCharacter, corporation: partOfCorporation, history: partOfHistory },
  });

async function partOfCharacter(servers: BenchServers): Promise<Measured> {
  const paths = [direct, throughTemporal(await temporalAddress(servers))];
  const rounds = await measureCharacterAssets(servers, TEMPLATE, paths, ROUNDS);
  return {
    lines: roundLines(rounds, paths, ASSET_CASES),
    bounds: paths.flatMap((path) => characterBounds(rounds, path)),
    raw: { rounds },
  };
}

/** The address of the one Temporal server that all parts share. */
let temporal: Promise<string> | undefined;
const temporalAddress = (servers: BenchServers) => (temporal ??= startTemporal(servers));

function characterBounds(rounds: readonly Round[], { name }: Path): Bound[] {
  const shares = (of: string, limit: number): Bound[] =>
    (['wal', 'disk'] as const).map((what) => ({
      demand: `${name}: ${of}, share of the first load's ${what === 'wal' ? 'WAL' : 'disk'}`,
      limit,
      measured: rounded(
        median(rounds.map(({ paths }) => paths[name]![of]![what] / paths[name]!['first load']![what])),
      ),
    }));
  return [
    {
      demand: `${name}: 1 % changed, in raw`,
      limit: CHANGED,
      measured: rounded(inRaw(rounds, name, '1 % changed')),
    },
    ...shares('unchanged', UNCHANGED_SHARE),
    ...shares('1 % changed', CHANGED_SHARE),
  ];
}

async function partOfCorporation(servers: BenchServers): Promise<Measured> {
  const temporals = [undefined, await temporalAddress(servers)];
  const runs = await measureCorporation(servers, TEMPLATE, temporals);
  const label = (index: number) => `${index === 0 ? direct.name : 'Temporal'}: a corporation's`;
  return {
    lines: runs.flatMap((one, i) => corporationLines(label(i), one)),
    bounds: runs.map(({ changed }, i) => ({
      demand: `${label(i)} ${CORPORATION_ASSETS}, peak MB of memory`,
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
  const { oneSnapshot, assets, diffs, readNow, readThen } = history;
  return {
    lines: historyLines(history),
    bounds: [
      {
        demand: `${SNAPSHOTS} snapshots of 1 % each, space in snapshots`,
        limit: HISTORY_SPACE,
        measured: rounded((assets + diffs) / oneSnapshot),
      },
      {
        demand: `assets_at of snapshot ${READ_BACK}, in reads of the table`,
        limit: READ_BACK_TIME,
        measured: rounded(readThen / readNow),
      },
      {
        demand: `snapshot ${READ_BACK} read back, snapshots that differ`,
        limit: 0,
        measured: history.isSame ? 0 : 1,
      },
    ],
    raw: { history },
  };
}

function historyLines(history: AssetHistory): Line[] {
  const { oneSnapshot, assets, diffs, diffRows, touched, rows, readNow, readThen } = history;
  return [
    { what: 'the first snapshot on disk', MB: megabytes(oneSnapshot), rows: ASSETS },
    { what: `assets after ${SNAPSHOTS} snapshots`, MB: megabytes(assets), rows, 'rows touched': touched },
    { what: `asset_diffs after ${SNAPSHOTS} snapshots`, MB: megabytes(diffs), rows: diffRows },
    { what: 'reading the table', seconds: rounded(readNow), rows },
    { what: `assets_at of snapshot ${READ_BACK}`, seconds: rounded(readThen), rows },
  ];
}
