import { z } from 'zod';
import { count, date, double, enumText, id, int4, orderDuration } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

/** ISK. All ISK in the game is some 1e15, so a higher price is a fault of the source. */
const MAX_PRICE = 1e15;
const volume = count;

const orderRow = z.object({
  order_id: id,
  type_id: count,
  region_id: id,
  location_id: id,
  volume_total: volume,
  volume_remain: volume,
  min_volume: volume.optional(),
  price: double(z.number().nonnegative().max(MAX_PRICE)),
  is_buy_order: z.boolean().default(false), // absent from sell orders
  duration: orderDuration,
  issued: date,
  range: enumText,
  escrow: double(z.number().nonnegative().max(MAX_PRICE)).optional(),
});

const state = enumText;
const corporationRow = orderRow.extend({ issued_by: id.optional(), wallet_division: int4 });
const characterRow = orderRow.extend({ is_corporation: z.boolean().default(false) });

const common = {
  key: ['order_id'],
  versionedAt: 'snapshot_at',
  references: { type_id: 'types', location_id: 'locations' },
} as const;

/** Milliseconds: ESI lists cancelled and expired orders for 90 days, and filled ones never. */
const HISTORY_WINDOW = 90 * 86_400_000;

const FILLED = 'filled';

/** Open orders. An order that leaves this list was cancelled, expired or filled. */
const open = {
  ...common,
  name: 'open',
  change: {
    policy: 'snapshot',
    openList: { state: 'active', inferred: [FILLED, 'unknown'], historyWindow: HISTORY_WINDOW },
  },
} as const;

/** Cancelled and expired orders. An order that left the open list and is absent here was filled. */
const closed = {
  ...common,
  name: 'history',
  change: { policy: 'upsert', inferClosed: { from: 'active', to: FILLED, openList: 'open' } },
} as const;

export const orders: OwnerCollector = {
  name: 'orders',
  description: 'Market orders, open and closed, with their end: filled, cancelled or expired',
  schedule: { every: '10m' },
  resources: [
    defineResource({
      ...open,
      route: '/characters/{character_id}/orders',
      for: 'character',
      row: characterRow,
      table: 'character_orders',
    }),
    defineResource({
      ...closed,
      route: '/characters/{character_id}/orders/history',
      for: 'character',
      row: characterRow.extend({ state }),
      table: 'character_orders',
    }),
    defineResource({
      ...open,
      route: '/corporations/{corporation_id}/orders',
      for: 'corporation',
      row: corporationRow,
      table: 'corporation_orders',
    }),
    defineResource({
      ...closed,
      route: '/corporations/{corporation_id}/orders/history',
      for: 'corporation',
      row: corporationRow.extend({ state }),
      table: 'corporation_orders',
    }),
  ],
};
