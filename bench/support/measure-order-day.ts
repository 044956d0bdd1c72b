import { join } from 'node:path';
import { benchClock, benchEngine } from './bench-engine.ts';
import type { BenchServers } from './bench-servers.ts';
import { collectAllRegions } from './collect-all-regions.ts';
import { onCopy } from './databases.ts';
import { type AllRegionsWorld, nextSnapshots, startAllRegions } from './measure-all-regions.ts';
import { bytesWritten } from './measure-run.ts';

/** Sweeps every five minutes between two checkpoints of the product's settings, which are six hours apart. */
const SWEEPS = 72;

/** Six hours are a quarter of a day. */
const QUARTERS = 4;

/** What a day of all regions every five minutes takes. */
export interface OrderDay {
  /** Bytes that the database grows by. */
  readonly growth: number;
  /** Bytes that PostgreSQL writes to files, its log and checkpoints included. */
  readonly written: number;
  /** Rows that are inserted, changed or removed. */
  readonly rows: number;
}

/** Measures six hours of sweeps over all regions, in which the usual share changes, and takes them four times. */
export function measureOrderDay(servers: BenchServers): Promise<OrderDay> {
  return startAllRegions(servers, (world) =>
    onCopy(servers, world.template, (databaseUrl) => measureSweeps(servers, world, databaseUrl)),
  );
}

async function measureSweeps(
  servers: BenchServers,
  { simulator, regions }: AllRegionsWorld,
  databaseUrl: string,
): Promise<OrderDay> {
  const clock = benchClock();
  const { url: esiUrl, sdeUrl } = simulator;
  const engine = benchEngine({ databaseUrl, esiUrl, sdeUrl, dataDir: join(servers.dir, 'sde'), clock });
  const { pool } = engine.context.db;
  const targets = regions.map((id) => `region/${id}`);
  const size = async () => {
    const { rows } = await pool.query<{ bytes: number }>(
      'SELECT pg_database_size(current_database()) AS bytes',
    );
    return rows[0]!.bytes;
  };
  const touched = async () => {
    const { rows } = await pool.query<{ rows: number }>(
      'SELECT sum(rows_inserted + rows_changed + rows_removed)::bigint AS rows FROM collection_runs',
    );
    return rows[0]!.rows;
  };
  try {
    await collectAllRegions(engine.context, targets);
    await pool.query('VACUUM');
    await servers.admin('CHECKPOINT');
    const before = { size: await size(), written: await bytesWritten(servers), rows: await touched() };
    for (let sweep = 1; sweep <= SWEEPS; sweep++) {
      await nextSnapshots({ esiUrl, regions }, clock);
      await collectAllRegions(engine.context, targets);
      if (sweep % 12 === 0) console.log(`hour ${sweep / 12} of ${SWEEPS / 12}`);
    }
    await servers.admin('CHECKPOINT');
    return {
      growth: QUARTERS * ((await size()) - before.size),
      written: QUARTERS * ((await bytesWritten(servers)) - before.written),
      rows: QUARTERS * ((await touched()) - before.rows),
    };
  } finally {
    await engine.close();
  }
}
