import type { EngineContext } from '../../src/engine/engine-context.ts';
import { FIRST_CHARACTER } from '../../simulator/owners/owner-options.ts';
import { ASSETS, CHURN, logInDirector, nextAssets, ownerEngine, targetOf } from './asset-owner.ts';
import { onCopy } from './databases.ts';
import { benchClock } from './engine.ts';
import { rowsTouched } from './measure-run.ts';
import { direct } from './paths.ts';
import { median, timed } from './report.ts';
import type { BenchServers } from './servers.ts';

/** Sets published after the first one. */
export const SETS = 100;

/** The set that is asked for again when all are published. */
export const ASKED = 50;

/**
 * Seconds that a set is cached here: a hundred hours would come upon EVE's downtime, a few hours from two in the afternoon
 * on do not. Twice as long until the next set: the simulator's sets are a second apart at least, ours come faster, and so
 * each expires a little later than it should.
 */
const CACHE = 60;
const LATER = 2 * CACHE * 1_000;

/** Autovacuum's own threshold: so many dead rows, and this share of the table. */
const DEAD_ROWS = 50;
const DEAD_SHARE = 0.2;

/** Readings of each kind, in turn. */
const MAX_ATTEMPTS = 9;

const COLUMNS = `item_id, character_id, corporation_id, type_id, location_id, location_type, location_flag, quantity,
  is_singleton, is_blueprint_copy, name, position_x, position_y, position_z`;
const NOW = `SELECT ${COLUMNS} FROM assets WHERE character_id = $1`;
const THEN = `SELECT ${COLUMNS} FROM assets_at($1, NULL, $2)`;

export interface AssetHistory {
  /** Bytes on disk, indexes included: the table after the first set, and both tables after the last. */
  readonly oneSet: number;
  readonly assets: number;
  readonly diffs: number;
  readonly diffRows: number;
  /** Rows that a set touched, in the middle. */
  readonly touched: number;
  /** Rows of the set that is asked for again, then and now, and whether they are the same to the last column. */
  readonly rows: number;
  readonly isSame: boolean;
  /** Seconds of a full read of the table, and of the set long ago. */
  readonly readNow: number;
  readonly readThen: number;
}

/** Publishes a hundred sets with 1 % changed each, and tells what they take and what it costs to look back. */
export async function measureHistory(servers: BenchServers, template: string): Promise<AssetHistory> {
  const simulator = await servers.simulator(
    ...['--characters', '1', '--char-assets', String(ASSETS), '--universe', 'full'],
    ...['--owner-cache', String(CACHE), '--no-limits'],
  );
  try {
    return await onCopy(servers, template, async (databaseUrl) => {
      const clock = benchClock();
      const engine = ownerEngine(servers, simulator, databaseUrl, clock);
      const next = async () => {
        await nextAssets(simulator, 'character', CHURN);
        clock.advance(LATER);
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
    const oneSet = await sizeOf(context, 'assets');
    await vacuum();
    const touched: number[] = [];
    let dead = 0;
    let then: Published | undefined;
    for (let set = 1; set <= SETS; set++) {
      await next();
      const { outcome, inserted = 0, changed = 0, removed = 0 } = await collect(targetOf('character'));
      if (outcome !== 'published') throw new Error(`set ${set} ended as ${outcome}`);
      touched.push(rowsTouched({ inserted, changed, removed }));
      dead += changed + removed;
      if (dead > DEAD_ROWS + DEAD_SHARE * ASSETS) {
        await vacuum();
        dead = 0;
      }
      if (set === ASKED) then = await published(context);
    }
    await vacuum();
    const [assets, diffs] = [await sizeOf(context, 'assets'), await sizeOf(context, 'asset_diffs')];
    const { rows } = await pool.query<{ count: number }>('SELECT count(*) AS count FROM asset_diffs');
    const looks = await lookBack(context, then!);
    return { oneSet, assets, diffs, diffRows: rows[0]!.count, touched: median(touched), ...looks };
  });
}

async function sizeOf({ db }: EngineContext, table: string): Promise<number> {
  const { rows } = await db.pool.query<{ size: number }>('SELECT pg_total_relation_size($1) AS size', [
    table,
  ]);
  return rows[0]!.size;
}

/** A set as it stood in the table: its moment, its rows, and their digest. */
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

/** Both readings in turn, each row received by the client; the first of each only warms. */
async function lookBack(context: EngineContext, then: Published) {
  const values = [FIRST_CHARACTER, then.at];
  const found = await digestOf(context, THEN, values);
  const now: number[] = [];
  const ago: number[] = [];
  for (let reading = 0; reading <= MAX_ATTEMPTS; reading++) {
    const table = await timed(() => context.db.pool.query(NOW, [FIRST_CHARACTER]));
    const past = await timed(() => context.db.pool.query(THEN, values));
    if (reading === 0) continue;
    now.push(table.seconds);
    ago.push(past.seconds);
  }
  const isSame = found.digest === then.digest && found.rows === then.rows;
  return { rows: then.rows, isSame, readNow: median(now), readThen: median(ago) };
}
