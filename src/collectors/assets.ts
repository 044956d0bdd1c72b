import { z } from 'zod';
import { defineResource, type OwnerCollector } from './define.ts';

const id = z.int().positive();

const assetSet = {
  part: '',
  row: z.object({
    item_id: id,
    type_id: z.int().nonnegative(),
    location_id: z.int().nonnegative(),
    location_type: z.string().min(1).max(50),
    location_flag: z.string().min(1).max(100),
    quantity: z.int(), // negative in old answers, where it told singletons and copies apart
    is_singleton: z.boolean(),
    is_blueprint_copy: z.boolean().optional(),
  }),
  table: 'assets',
  shared: true,
  key: ['item_id'],
  seenAt: 'snapshot_at',
  change: { policy: 'snapshot', diffs: 'asset_diffs' },
  lookups: { type_id: 'types', location_id: 'places' },
} as const;

export const assets: OwnerCollector = {
  name: 'assets',
  about: 'Assets with names and places, and every change of them',
  rhythm: { every: '1h' },
  parts: [
    defineResource({
      ...assetSet,
      route: '/characters/{character_id}/assets',
      for: 'character',
      details: [
        { route: '/characters/{character_id}/assets/names', rows: 'nameable', fills: 'name' },
        { route: '/characters/{character_id}/assets/locations', rows: 'in-space', fills: 'position' },
      ],
    }),
    defineResource({
      ...assetSet,
      route: '/corporations/{corporation_id}/assets',
      for: 'corporation',
      details: [
        { route: '/corporations/{corporation_id}/assets/names', rows: 'nameable', fills: 'name' },
        { route: '/corporations/{corporation_id}/assets/locations', rows: 'in-space', fills: 'position' },
      ],
    }),
  ],
};
