import { z } from 'zod';
import { count, date, double, enumText, id, orderDuration } from '../esi/facts/bounds.ts';
import { defineCollector } from './define.ts';

/** ISK. The highest price ever listed is 7e11, and all ISK in the game is some 1e15. */
const MAX_PRICE = 1e14;

const volume = count;

export const marketOrders = defineCollector({
  name: 'market-orders',
  description: 'Public market orders of a region: the book, its changes, and best prices per type',
  route: '/markets/{region_id}/orders',
  query: { order_type: 'all' },
  for: 'region',
  row: z.object({
    order_id: id,
    type_id: count,
    location_id: id,
    system_id: id,
    volume_total: volume,
    volume_remain: volume,
    min_volume: volume.default(1), // where it is left out, any volume is accepted
    price: double(z.number().positive().max(MAX_PRICE)),
    is_buy_order: z.boolean(),
    duration: orderDuration,
    issued: date,
    range: enumText,
  }),
  table: 'market_orders_public',
  key: ['order_id'],
  versionedAt: 'snapshot_at',
  change: {
    policy: 'snapshot',
    versions: 'market_order_changes',
    guardWithin: 'is_buy_order',
    endedBy: [
      ['price', 'price'],
      ['volume', 'volume_remain'],
    ],
  },
  references: { type_id: 'types', system_id: 'systems', location_id: 'locations' },
  series: 'market_type_series',
  schedule: { everySetting: 'MARKET_ORDERS_INTERVAL' },
  enabledBy: 'COLLECT_MARKET_ORDERS',
});
