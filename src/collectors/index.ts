import { AppError } from '../kernel/errors.ts';
import type { AnyCollector } from './define.ts';
import { industryFacilities } from './industry-facilities.ts';
import { industryIndices } from './industry-indices.ts';
import { marketHistory } from './market-history.ts';
import { marketOrders } from './market-orders.ts';
import { marketPrices } from './market-prices.ts';
import { universe } from './universe.ts';

export const collectors = [
  universe,
  marketOrders,
  marketPrices,
  marketHistory,
  industryIndices,
  industryFacilities,
] as const satisfies readonly AnyCollector[];

/** Throws AppError UNKNOWN_COLLECTOR with the names there are. */
export function findCollector(name: string): AnyCollector {
  const found: AnyCollector | undefined = collectors.find((collector) => collector.name === name);
  if (found) return found;
  const names = collectors.map((collector) => collector.name).join(', ');
  throw new AppError(`There is no collector "${name}". There are: ${names}.`, {
    code: 'UNKNOWN_COLLECTOR',
    verdict: 'fail',
  });
}
