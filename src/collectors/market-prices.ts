import { z } from 'zod';
import { defineCollector } from './define.ts';

/** Adjusted prices reach 1.2e11 ISK; a thousand times that is a fault of the source. */
const ABSURD_PRICE = 1e14;

const price = z.number().nonnegative().max(ABSURD_PRICE).optional();

export const marketPrices = defineCollector({
  name: 'market-prices',
  about: 'Adjusted and average price of each type, a row per change',
  route: '/markets/prices',
  row: z.object({ type_id: z.int().nonnegative(), adjusted_price: price, average_price: price }),
  table: 'market_prices',
  key: ['type_id'],
  seenAt: 'observed_at',
  change: { policy: 'changes' },
  lookups: { type_id: 'types' },
  rhythm: { every: '1h' },
  switch: 'COLLECT_MARKET_ORDERS',
});
