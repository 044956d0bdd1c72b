import { z } from 'zod';
import { count, enumText, id, int8 } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

const itemResource = {
  name: '',
  row: z.object({
    item_id: id,
    type_id: count,
    location_id: count,
    location_type: enumText,
    location_flag: z.string().min(1).max(100),
    quantity: int8, // -1 and -2 marked singletons and blueprint copies in old answers
    is_singleton: z.boolean().default(false),
    is_blueprint_copy: z.boolean().optional(),
  }),
  table: 'assets',
  ownerScoped: true,
  key: ['item_id'],
  versionedAt: 'snapshot_at',
  change: { policy: 'snapshot', diffs: 'asset_diffs' },
  references: { type_id: 'types', location_id: 'asset-locations' },
} as const;

export const assets: OwnerCollector = {
  name: 'assets',
  description: 'Assets with their names and locations, and every change of them',
  schedule: { every: '1h' },
  resources: [
    defineResource({
      ...itemResource,
      route: '/characters/{character_id}/assets',
      for: 'character',
      enrichments: [
        { route: '/characters/{character_id}/assets/names', kind: 'name' },
        { route: '/characters/{character_id}/assets/locations', kind: 'position' },
      ],
    }),
    defineResource({
      ...itemResource,
      route: '/corporations/{corporation_id}/assets',
      for: 'corporation',
      enrichments: [
        { route: '/corporations/{corporation_id}/assets/names', kind: 'name' },
        { route: '/corporations/{corporation_id}/assets/locations', kind: 'position' },
      ],
    }),
  ],
};
