import { z } from 'zod';
import { date, int4 } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

/** Nobody asks or bids more: all ISK in the game is some 1e15. */
const ABSURD_PRICE = 1e15;

/** Players' orders reach 90 days, those of the oldest corporations a year. */
const LONGEST_DURATION = 365;

const id = z.int().positive();
const volume = z.int().nonnegative();

const orderRow = z.object({
  order_id: id,
  type_id: z.int().nonnegative(),
  region_id: id,
  location_id: id,
  volume_total: volume,
  volume_remain: volume,
  min_volume: volume.optional(),
  price: z.number().nonnegative().max(ABSURD_PRICE),
  is_buy_order: z.boolean().default(false), // ESI leaves it out of sell orders
  duration: z.int().nonnegative().max(LONGEST_DURATION),
  issued: date,
  range: z.string().min(1).max(50),
  escrow: z.number().nonnegative().max(ABSURD_PRICE).optional(),
});

const state = z.string().min(1).max(50);
const corporationRow = orderRow.extend({ issued_by: id.optional(), wallet_division: int4 });
const characterRow = orderRow.extend({ is_corporation: z.boolean() });

const common = {
  key: ['order_id'],
  seenAt: 'snapshot_at',
  lookups: { type_id: 'types', location_id: 'locations' },
} as const;

/** ms: ESI tells of cancelled and expired orders for 90 days, and never of filled ones. */
const HISTORY = 90 * 86_400_000;

const ENRICHED_COLUMNS = 'filled';

/** Orders that are open: what goes from here was cancelled, has expired or was filled. */
const open = {
  ...common,
  part: 'open',
  change: {
    policy: 'snapshot',
    leaves: { state: 'active', inferred: [ENRICHED_COLUMNS, 'unknown'], toldFor: HISTORY },
  },
} as const;

/** What has left the open ones and is not told of here was filled. */
const closed = {
  ...common,
  part: 'history',
  change: { policy: 'upsert', settles: { from: 'active', to: ENRICHED_COLUMNS, listedBy: 'open' } },
} as const;

export const orders: OwnerCollector = {
  name: 'orders',
  about: 'Market orders, open and closed; filled ones are told from those cancelled or expired',
  rhythm: { every: '10m' },
  parts: [
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
