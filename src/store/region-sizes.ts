import type { Database } from './database.ts';

export interface RegionSizes {
  /** Every region of the universe; 113 have a market. */
  readonly allRegions: readonly number[];
  /** Pages of the order book as last read, by region. */
  readonly pages: ReadonlyMap<number, number>;
  /** Types with a history to ask for, by region. */
  readonly types: ReadonlyMap<number, number>;
}

/** What is known of the regions' sizes. */
export async function readRegionSizes(db: Pick<Database, 'pool' | 'prisma'>): Promise<RegionSizes> {
  const [regions, sets, types] = await Promise.all([
    db.prisma.region.findMany({ select: { region_id: true } }),
    db.prisma.publishedSet.findMany({ where: { collector: 'market-orders', pages: { gt: 0 } } }),
    db.pool.query<{ region_id: number; types: number }>(
      `SELECT region_id, count(*) AS types FROM market_history_types WHERE rejections = 0 GROUP BY region_id`,
    ),
  ]);
  return {
    allRegions: regions.map((region) => Number(region.region_id)),
    pages: new Map(sets.map((set) => [Number(set.target.split('/')[1]), set.pages])),
    types: new Map(types.rows.map((row) => [row.region_id, row.types])),
  };
}
