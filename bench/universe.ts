import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { collectTarget } from '../src/engine/run/collect-target.ts';
import { openArchive } from '../src/engine/universe/sde-archive.ts';
import { readNames, SDE_SOURCES } from '../src/engine/universe/sde-static-rows.ts';
import {
  STATIC_TABLE_NAMES,
  type StaticRow,
  type StaticTableName,
} from '../src/store/universe/static-tables.ts';
import { copyInto } from '../src/store/copy.ts';
import { encodeStaticRows, importColumns } from '../src/store/universe/static-rows.ts';
import { makeTemplate, onCopy, walOf } from './support/databases.ts';
import { benchEngine } from './support/bench-engine.ts';
import { median, rounded, ROUNDS, timed, writeReport } from './support/report.ts';
import { type BenchServers, type BenchSimulator, withServers } from './support/bench-servers.ts';

/** The bound of a first import, in yardsticks. */
const FIRST_IMPORT = 3;

/** The bound of an import of an unchanged build. */
const UNCHANGED_SECONDS = 0.5;

interface Round {
  readonly unzipAndParse: number;
  readonly copy: number;
  readonly first: number;
  readonly unchanged: number;
  readonly unchangedWal: number;
  readonly rows: number;
  readonly touched: number;
}

export async function benchUniverse(): Promise<boolean> {
  let held = false;
  await withServers(async (servers) => {
    const simulator = await servers.simulator({ universe: 'full', 'no-limits': true });
    await makeTemplate(servers, 'universe', undefined);
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push(await onCopy(servers, 'universe', (url) => measure(servers, simulator, url)));
    }
    held = await report(servers, rounds);
  });
  return held;
}

async function measure(
  servers: BenchServers,
  simulator: BenchSimulator,
  databaseUrl: string,
): Promise<Round> {
  const dataDir = join(servers.dir, 'sde');
  const { url: esiUrl, sdeUrl } = simulator;
  const engine = benchEngine({ databaseUrl, esiUrl, sdeUrl, dataDir });
  try {
    const { build } = await engine.context.sde.latest();
    const file = await engine.context.sde.download(build);
    const parsed = await timed(() => unzipAndParse(file));
    const { rows, copy } = await copyRows(databaseUrl, file);
    const collect = () => timed(() => collectTarget(engine.context, { collector: 'universe', target: '' }));
    await servers.admin('CHECKPOINT');
    const first = await collect();
    const before = await readRowVersions(engine.context.db.pool);
    const { wal: unchangedWal, result: unchanged } = await walOf(servers, collect);
    const touched = (await readRowVersions(engine.context.db.pool)) === before ? 0 : 1;
    const { outcome } = unchanged.result;
    if (first.result.outcome !== 'published' || outcome !== 'unchanged')
      throw new Error(`the imports ended as ${first.result.outcome} and ${outcome}`);
    return {
      unzipAndParse: parsed.seconds,
      copy,
      rows,
      first: first.seconds,
      unchanged: unchanged.seconds,
      unchangedWal,
      touched,
    };
  } finally {
    await engine.close();
  }
}

/** Parses every line of the files that the tables come from, and discards it. */
async function unzipAndParse(file: string): Promise<void> {
  await pipeline(createReadStream(file), async (chunks) => {
    for await (const _ of chunks); // afterwards the file is in the system's cache for both sides
  });
  const archive = await openArchive(file);
  for (const table of STATIC_TABLE_NAMES) {
    for await (const _ of archive.records(SDE_SOURCES[table].file));
  }
  archive.close();
}

/** Copies the same rows into empty copies of the tables with their indexes. Making the rows is not measured. */
async function copyRows(databaseUrl: string, file: string): Promise<{ rows: number; copy: number }> {
  const archive = await openArchive(file);
  const names = await readNames(archive);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  let rows = 0;
  let copy = 0;
  try {
    for (const table of STATIC_TABLE_NAMES) {
      const staticRows: StaticRow[] = [];
      for await (const record of archive.records(SDE_SOURCES[table].file))
        staticRows.push(SDE_SOURCES[table].toRow(record, names));
      const columns = importColumns(table);
      const text = encodeStaticRows(table, staticRows);
      await client.query(`CREATE TABLE yardstick_${table} (LIKE ${table} INCLUDING ALL)`);
      const poolClient = client as unknown as pg.PoolClient;
      copy += (await timed(() => copyInto(poolClient, `yardstick_${table}`, columns, [text]))).seconds;
      rows += staticRows.length;
    }
  } finally {
    archive.close();
    await client.query(
      `DROP TABLE IF EXISTS ${STATIC_TABLE_NAMES.map((table) => `yardstick_${table}`).join(', ')}`,
    );
    await client.end();
  }
  return { rows, copy };
}

/** A text that changes when any row is written: counts, and the transactions that wrote the rows. */
async function readRowVersions(pool: pg.Pool): Promise<string> {
  const of = (table: StaticTableName) =>
    `SELECT '${table}' AS name, count(*) AS rows, sum(xmin::text::bigint) AS writers, sum(xmax::text::bigint) AS lockers
       FROM ${table}`;
  const { rows } = await pool.query(STATIC_TABLE_NAMES.map(of).join(' UNION ALL '));
  return JSON.stringify(rows);
}

async function report(servers: BenchServers, rounds: readonly Round[]): Promise<boolean> {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick));
  const y = of((round) => round.unzipAndParse + round.copy);
  const first = of((round) => round.first);
  const unchanged = of((round) => round.unchanged);
  const yardstick = `yardstick (unzip and parse ${rounded(of((r) => r.unzipAndParse))} s, COPY ${rounded(of((r) => r.copy))} s)`;
  return writeReport({
    name: 'universe',
    postgres: servers.postgresVersion,
    notes: [
      'Y: unzipping and parsing the files of the archive, then COPY of the same rows into empty copies of the tables.',
      'The archive is downloaded beforehand. Rows touched: xmin and xmax of all rows before and after.',
    ],
    lines: [
      { what: yardstick, seconds: rounded(y), Y: 1 },
      { what: 'first import', seconds: rounded(first), Y: rounded(first / y), rows: rounds[0]!.rows },
      { what: 'unchanged build', seconds: rounded(unchanged), Y: rounded(unchanged / y), rows: 0 },
    ],
    bounds: [
      { demand: 'first import, in Y', limit: FIRST_IMPORT, measured: rounded(first / y) },
      { demand: 'unchanged build, seconds', limit: UNCHANGED_SECONDS, measured: rounded(unchanged) },
      {
        demand: 'unchanged build, rounds with a row touched',
        limit: 0,
        measured: rounds.filter((r) => r.touched > 0).length,
      },
    ],
    raw: { rounds },
  });
}
