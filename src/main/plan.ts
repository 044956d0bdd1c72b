import { type DemandLine, planDemand } from '../engine/demand.ts';
import { parseDuration } from '../kernel/clock.ts';
import { readRegionSizes } from '../store/sizes.ts';
import type { Config } from './config.ts';
import type { House } from './wire.ts';

/** The configured work against every budget, by what is known of the regions' sizes, else by typical ones. */
export async function currentPlan(config: Config, house: Pick<House, 'db'>): Promise<DemandLine[]> {
  const sizes = await readRegionSizes(house.db);
  const wanted = config.MARKET_REGIONS === 'all' ? sizes.allRegions : config.MARKET_REGIONS;
  const size = (id: number) => ({ id, pages: sizes.pages.get(id), types: sizes.types.get(id) });
  return planDemand({
    regions: wanted.map(size),
    ordersEveryMs: config.COLLECT_MARKET_ORDERS ? parseDuration(config.MARKET_ORDERS_INTERVAL) : undefined,
    history: config.COLLECT_MARKET_HISTORY,
    esiRateLimit: config.ESI_RATE_LIMIT,
  });
}
