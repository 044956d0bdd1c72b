// What a collector's declaration must not say. Each case breaks one rule of a declaration that is right otherwise;
// the compiler rejects an `@ts-expect-error` without an error beneath it.
import { z } from 'zod';
import { defineCollector, defineResource, type OwnerCollector } from '../../src/collectors/define.ts';

const row = z.object({ type_id: z.int(), price: z.number() });

const prices = {
  name: 'prices',
  description: 'Prices',
  route: '/markets/prices',
  row,
  table: 'market_prices',
  key: ['type_id'],
  versionedAt: 'observed_at',
  change: { policy: 'changes' },
  schedule: { every: '1h' },
} as const;

const orders = { ...prices, route: '/markets/{region_id}/orders', for: 'region' } as const;

const assets = {
  name: '',
  route: '/characters/{character_id}/assets',
  for: 'character',
  row,
  table: 'assets',
  key: ['type_id'],
  versionedAt: 'snapshot_at',
  change: { policy: 'snapshot' },
} as const;

const journalWithoutDivision = {
  ...assets,
  route: '/corporations/{corporation_id}/wallets/{division}/journal',
  for: 'corporation',
} as const;

const journal = { ...journalWithoutDivision, per: 'division' } as const;

export const valid = [
  defineCollector(prices),
  defineCollector(orders),
  defineResource(assets),
  defineResource(journal),
];

// @ts-expect-error -- ESI has no such route
defineCollector({ ...prices, route: '/markets/costs' });

// @ts-expect-error -- the route's path names a region, so the collector needs targets
defineCollector({ ...prices, route: '/markets/{region_id}/orders' });

// @ts-expect-error -- the route's path names a region, not a character
defineCollector({ ...orders, for: 'character' });

// @ts-expect-error -- the route's path names nobody
defineCollector({ ...prices, for: 'region' });

// @ts-expect-error -- the key names a column that the row does not have
defineCollector({ ...prices, key: ['typ_id'] });

// @ts-expect-error -- there is no such kind of reference
defineCollector({ ...prices, references: { type_id: 'planets' } });

// @ts-expect-error -- a reference names a column that the row does not have
defineCollector({ ...prices, references: { typ_id: 'types' } });

// @ts-expect-error -- there is no such change policy
defineCollector({ ...prices, change: { policy: 'replace' } });

// @ts-expect-error -- no setting holds such an interval
defineCollector({ ...prices, schedule: { everySetting: 'MARKET_PRICES_INTERVAL' } });

// @ts-expect-error -- no setting holds such a cron
defineCollector({ ...prices, schedule: { cronSetting: 'MARKET_PRICES_CRON' } });

// @ts-expect-error -- there is no such switch
defineCollector({ ...prices, enabledBy: 'COLLECT_PRICES' });

// @ts-expect-error -- the column's name in ESI is given for a column that the row does not have
defineCollector({ ...prices, rename: { id: 'type_id' } });

// @ts-expect-error -- the route's path names a character, not a corporation
defineResource({ ...assets, for: 'corporation' });

// @ts-expect-error -- the route's path names a division, so `per` is missing
defineResource(journalWithoutDivision);

// @ts-expect-error -- the route's path names no division
defineResource({ ...assets, per: 'division' });

// @ts-expect-error -- a region owns nothing
defineResource({ ...assets, route: '/markets/{region_id}/orders', for: 'region' });

// @ts-expect-error -- the key names a column that the row does not have
defineResource({ ...assets, key: ['item_id'] });

export const owners: OwnerCollector = {
  name: 'owners',
  description: 'What owners have',
  // @ts-expect-error -- owners' collectors run at a fixed interval, not by a setting
  schedule: { cronSetting: 'MARKET_HISTORY_CRON' },
  resources: [defineResource(assets)],
};
