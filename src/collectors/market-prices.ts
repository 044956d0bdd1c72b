import { z } from 'zod';
import { count, double } from '../esi/facts/bounds.ts';
import { defineCollector } from './define.ts';

/** ISK. Adjusted prices reach 1.2e11; a thousand times that is a fault of the source. */
const MAX_PRICE = 1e14;

const price = double(z.number().nonnegative().max(MAX_PRICE)).optional();

export const marketPrices = defineCollector({
  name: 'market-prices',
  description: 'Adjusted and average price of each type, a row per change',
  route: '/markets/prices',
  row: z.object({ type_id: count, adjusted_price: price, average_price: price }),
  table: 'market_prices',
  key: ['type_id'],
  versionedAt: 'observed_at',
  change: { policy: 'changes' },
  references: { type_id: 'types' },
  schedule: { every: '1h' },
  enabledBy: 'COLLECT_MARKET_ORDERS',
});
