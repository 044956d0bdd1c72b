import type { EngineContext } from '../../src/engine/engine-context.ts';
import { FIRST_CHARACTER } from '../../simulator/owners/owner-options.ts';
import { ASSETS, CHURN, logInDirector, nextAssets, ownerEngine, targetOf } from './asset-owner.ts';
import { onCopy } from './databases.ts';
import { benchClock } from './bench-engine.ts';
import { rowsTouched } from './measure-run.ts';
import { direct } from './run-paths.ts';
import { median, timed } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

/** Snapshots published after the first one. */
export const SNAPSHOTS = 100;

/** The snapshot that is read again when all are published. */
export const READ_BACK = 50;

/**
 * The cache time in seconds. A hundred hours would reach EVE's daily downtime, a few hours from 14:00 on do not. The time
 * until the next snapshot is twice as long: the simulator's snapshots are at least a second apart and ours come faster,
 * so each expires a little later than it should.
 */
const CACHE_SECONDS = 60;
const NEXT_SNAPSHOT_MS = 2 * CACHE_SECONDS * 1_000;

/** Autovacuum's own threshold: this number of dead rows plus this share of the table. */
const DEAD_ROWS = 50;
const DEAD_SHARE = 0.2;

/** Reads of each kind, alternating. */
const READS = 9;

const COLUMNS = `item_id, character_id, corporation_id, type_id, location_id, location_type, location_flag, quantity,
  is_singleton, is_blueprint_copy, name, position_x, position_y, position_z`;
const NOW = `SELECT ${COLUMNS} FROM assets WHERE character_id = $1`;
const THEN = `SELECT ${COLUMNS} FROM assets_at($1, NULL, $2)`;

export interface AssetHistory {
  /** Bytes on disk including indexes: the table after the first snapshot, and both tables after the last one. */
  readonly oneSnapshot: number;
  readonly assets: number;
  readonly diffs: number;
  readonly diffRows: number;
  /** The median number of rows that a snapshot touched. */
  readonly touched: number;
  /** The rows of the snapshot that is read again, and whether they are the same in every column. */
  readonly rows: number;
  readonly isSame: boolean;
  /** Seconds of a full read of the table, and of the old snapshot. */
  readonly readNow: number;
  readonly readThen: number;
}

/** Publishes a hundred snapshots with 1 % changed each, and measures their space and the time to read an old one. */
export async function measureHistory(servers: BenchServers, template: string): Promise<AssetHistory> {
  const simulator = await servers.simulator({
    characters: 1,
    'char-assets': ASSETS,
    universe: 'full',
    'owner-cache': CACHE_SECONDS,
    'no-limits': true,
  });
  try {
    return await onCopy(servers, template, async (databaseUrl) => {
      const clock = benchClock();
      const engine = ownerEngine(servers, simulator, databaseUrl, clock);
      const next = async () => {
        await nextAssets(simulator, 'character', CHURN);
        clock.advance(NEXT_SNAPSHOT_MS);
        await logInDirector(engine.context, simulator.control);
      };
      try {
        await logInDirector(engine.context, simulator.control);
        return await publishAll(engine.context, next);
      } finally {
        await engine.close();
      }
    });
  } finally {
    await simulator.stop();
  }
}

async function publishAll(context: EngineContext, next: () => Promise<void>): Promise<AssetHistory> {
  const { pool } = context.db;
  const vacuum = () => pool.query('VACUUM (ANALYZE) assets, asset_diffs');
  return direct.use(context, 'assets', async (collect) => {
    await collect(targetOf('character'));
    const oneSnapshot = await sizeOf(context, 'assets');
    await vacuum();
    const touched: number[] = [];
    let dead = 0;
    let then: Published | undefined;
    for (let n = 1; n <= SNAPSHOTS; n++) {
      await next();
      const { outcome, inserted = 0, changed = 0, removed = 0 } = await collect(targetOf('character'));
      if (outcome !== 'published') throw new Error(`snapshot ${n} ended as ${outcome}`);
      touched.push(rowsTouched({ inserted, changed, removed }));
      dead += changed + removed;
      if (dead > DEAD_ROWS + DEAD_SHARE * ASSETS) {
        await vacuum();
        dead = 0;
      }
      if (n === READ_BACK) then = await published(context);
    }
    await vacuum();
    const [assets, diffs] = [await sizeOf(context, 'assets'), await sizeOf(context, 'asset_diffs')];
    const { rows } = await pool.query<{ count: number }>('SELECT count(*) AS count FROM asset_diffs');
    const reads = await readBack(context, then!);
    return { oneSnapshot, assets, diffs, diffRows: rows[0]!.count, touched: median(touched), ...reads };
  });
}

async function sizeOf({ db }: EngineContext, table: string): Promise<number> {
  const { rows } = await db.pool.query<{ size: number }>('SELECT pg_total_relation_size($1) AS size', [
    table,
  ]);
  return rows[0]!.size;
}

/** A published snapshot: its time, its rows, and their digest. */
interface Published {
  readonly at: Date;
  readonly rows: number;
  readonly digest: string;
}

async function digestOf({ db }: EngineContext, text: string, values: unknown[]) {
  const { rows } = await db.pool.query<{ rows: number; digest: string }>(
    `SELECT count(*) AS rows, md5(string_agg(a::text, ',' ORDER BY a.item_id)) AS digest FROM (${text}) a`,
    values,
  );
  return rows[0]!;
}

async function published(context: EngineContext): Promise<Published> {
  const { rows } = await context.db.pool.query<{ at: Date }>(
    `SELECT last_modified AS at FROM published_sets WHERE collector = 'assets' AND target = $1`,
    [targetOf('character')],
  );
  return { at: rows[0]!.at, ...(await digestOf(context, NOW, [FIRST_CHARACTER])) };
}

/** Reads both, alternating. The client receives each row, and the first read of each is a warm-up. */
async function readBack(context: EngineContext, then: Published) {
  const values = [FIRST_CHARACTER, then.at];
  const found = await digestOf(context, THEN, values);
  const now: number[] = [];
  const ago: number[] = [];
  for (let n = 0; n <= READS; n++) {
    const table = await timed(() => context.db.pool.query(NOW, [FIRST_CHARACTER]));
    const past = await timed(() => context.db.pool.query(THEN, values));
    if (n === 0) continue;
    now.push(table.seconds);
    ago.push(past.seconds);
  }
  const isSame = found.digest === then.digest && found.rows === then.rows;
  return { rows: then.rows, isSame, readNow: median(now), readThen: median(ago) };
}
