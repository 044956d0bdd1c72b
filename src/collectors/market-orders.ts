import { z } from 'zod';
import { date } from '../esi/facts/bounds.ts';
import { defineCollector } from './define.ts';

/** Nobody asks or bids more: the highest price ever listed is 7e11 ISK, all ISK in the game is some 1e15. */
const ABSURD_PRICE = 1e14;

/** A year, for orders of NPC corporations; players' reach 90 days. */
const LONGEST_DURATION = 365;

const volume = z.int().nonnegative();

export const marketOrders = defineCollector({
  name: 'market-orders',
  about: 'Public market orders of a region: the book, its changes, and best prices per type',
  route: '/markets/{region_id}/orders',
  query: { order_type: 'all' },
  for: 'region',
  row: z.object({
    order_id: z.int().positive(),
    type_id: z.int().nonnegative(),
    location_id: z.int().positive(),
    system_id: z.int().positive(),
    volume_total: volume,
    volume_remain: volume,
    min_volume: volume,
    price: z.number().positive().max(ABSURD_PRICE),
    is_buy_order: z.boolean(),
    duration: z.int().nonnegative().max(LONGEST_DURATION),
    issued: date,
    range: z.string().min(1).max(50),
  }),
  table: 'market_orders_public',
  key: ['order_id'],
  seenAt: 'snapshot_at',
  change: {
    policy: 'snapshot',
    versions: 'market_order_changes',
    endedBy: [
      ['price', 'price'],
      ['volume', 'volume_remain'],
    ],
  },
  lookups: { type_id: 'types', system_id: 'systems', location_id: 'locations' },
  series: 'market_type_series',
  rhythm: { everySetting: 'MARKET_ORDERS_INTERVAL' },
  switch: 'COLLECT_MARKET_ORDERS',
});
