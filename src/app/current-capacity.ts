import { parseDuration } from '../lib/duration.ts';
import { readRegionSizes } from '../store/region-sizes.ts';
import { type CapacityLine, planCapacity } from './capacity.ts';
import type { App } from './create-app.ts';
import { isSimulated } from './derived-settings.ts';
import type { Config } from './settings.ts';

/**
 * Compares the configured work with every limit, by the regions' sizes as last read, else by typical ones of EVE. Of a
 * simulated ESI nothing is typical: regions that were not read yet are left out.
 */
export async function currentCapacity(config: Config, app: Pick<App, 'db'>): Promise<CapacityLine[]> {
  const sizes = await readRegionSizes(app.db);
  const regions = config.MARKET_REGIONS === 'all' ? sizes.allRegions : config.MARKET_REGIONS;
  const known = isSimulated(config) ? regions.filter((id) => sizes.pages.has(id)) : regions;
  return planCapacity({
    regions: known.map((id) => ({ id, pages: sizes.pages.get(id), types: sizes.types.get(id) })),
    ordersEveryMs: config.COLLECT_MARKET_ORDERS ? parseDuration(config.MARKET_ORDERS_INTERVAL) : undefined,
    history: config.COLLECT_MARKET_HISTORY,
    esiRateLimit: config.ESI_RATE_LIMIT,
  });
}
