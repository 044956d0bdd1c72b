import { type CapacityLine, planCapacity } from './capacity.ts';
import { parseDuration } from '../lib/clock.ts';
import { readRegionSizes } from '../store/region-sizes.ts';
import type { Config } from './settings.ts';
import type { App } from './create-app.ts';

/** The configured work against every budget, by what is known of the regions' sizes, else by typical ones. */
export async function currentCapacity(config: Config, app: Pick<App, 'db'>): Promise<CapacityLine[]> {
  const sizes = await readRegionSizes(app.db);
  const wanted = config.MARKET_REGIONS === 'all' ? sizes.allRegions : config.MARKET_REGIONS;
  const size = (id: number) => ({ id, pages: sizes.pages.get(id), types: sizes.types.get(id) });
  return planCapacity({
    regions: wanted.map(size),
    ordersEveryMs: config.COLLECT_MARKET_ORDERS ? parseDuration(config.MARKET_ORDERS_INTERVAL) : undefined,
    history: config.COLLECT_MARKET_HISTORY,
    esiRateLimit: config.ESI_RATE_LIMIT,
  });
}
