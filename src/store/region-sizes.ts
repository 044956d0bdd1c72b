import type { Database } from './database.ts';
import { readStaticIds } from './universe/static-rows.ts';

/** How much there is to read per region. */
export interface RegionSizes {
  /** Every region of the universe, of which 113 have a market. */
  readonly allRegions: readonly number[];
  /** Pages of the last read order book, by region. */
  readonly pages: ReadonlyMap<number, number>;
  /** Types with a market history, by region. */
  readonly types: ReadonlyMap<number, number>;
}

/** Reads what is known of the regions' sizes. */
export async function readRegionSizes(db: Pick<Database, 'pool' | 'prisma'>): Promise<RegionSizes> {
  const [regions, sets, types] = await Promise.all([
    readStaticIds(db.pool, 'regions'),
    db.prisma.publishedSet.findMany({ where: { collector: 'market-orders', pages: { gt: 0 } } }),
    db.pool.query<{ region_id: number; types: number }>(
      `SELECT region_id, count(*) AS types FROM market_history_types WHERE rejections = 0 GROUP BY region_id`,
    ),
  ]);
  return {
    allRegions: regions,
    pages: new Map(sets.map((set) => [Number(set.target.split('/')[1]), set.pages])),
    types: new Map(types.rows.map((row) => [row.region_id, row.types])),
  };
}
