import { AppError } from '../lib/errors.ts';
import { escapeInvisible } from '../lib/text.ts';
import { assets } from './assets.ts';
import type { AnyCollector } from './define.ts';
import { industry } from './industry.ts';
import { industryFacilities } from './industry-facilities.ts';
import { industryIndices } from './industry-indices.ts';
import { marketHistory } from './market-history.ts';
import { marketOrders } from './market-orders.ts';
import { marketPrices } from './market-prices.ts';
import { orders } from './orders.ts';
import { structures } from './structures.ts';
import { universe } from './universe.ts';
import { wallet } from './wallet.ts';

export const collectors = [
  universe,
  marketOrders,
  marketPrices,
  marketHistory,
  industryIndices,
  industryFacilities,
  structures,
  wallet,
  assets,
  orders,
  industry,
] as const satisfies readonly AnyCollector[];

/** The collector of this name. Throws AppError UNKNOWN_COLLECTOR, which lists the names. */
export function findCollector(name: string): AnyCollector {
  const found: AnyCollector | undefined = collectors.find((collector) => collector.name === name);
  if (found) return found;
  const names = collectors.map((collector) => collector.name).join(', ');
  throw new AppError(`Unknown collector "${escapeInvisible(name)}". Available: ${names}.`, {
    code: 'UNKNOWN_COLLECTOR',
    verdict: 'fail',
  });
}
