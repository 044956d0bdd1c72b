import { z } from 'zod';
import { count, date, enumText, id, int4, int8, price } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

const jobResource = {
  name: '',
  query: { include_completed: 'true' }, // ESI lists completed jobs for 90 days
  row: z.object({
    job_id: id,
    installer_id: id,
    facility_id: id,
    station_id: id.optional(),
    activity_id: int4,
    blueprint_id: id,
    blueprint_type_id: count,
    blueprint_location_id: int8,
    output_location_id: int8,
    runs: count,
    cost: price.optional(),
    licensed_runs: int8.optional(),
    probability: z.number().min(0).max(1).optional(),
    product_type_id: id.optional(),
    status: enumText,
    duration: count, // seconds
    start_date: date,
    end_date: date,
    pause_date: date.optional(),
    completed_date: date.optional(),
    completed_character_id: id.optional(),
    successful_runs: count.optional(),
  }),
  table: 'industry_jobs',
  ownerScoped: true,
  key: ['job_id'],
  versionedAt: 'snapshot_at',
  change: { policy: 'upsert' },
  // Blueprint and output locations may be containers, whose ids must not be requested as structures.
  references: {
    blueprint_type_id: 'types',
    product_type_id: 'types',
    station_id: 'locations',
    facility_id: 'locations',
  },
} as const;

export const industry: OwnerCollector = {
  name: 'industry',
  description: 'Industry jobs, completed ones included, kept after ESI forgets them',
  schedule: { every: '30m' },
  resources: [
    defineResource({ ...jobResource, route: '/characters/{character_id}/industry/jobs', for: 'character' }),
    defineResource({
      ...jobResource,
      route: '/corporations/{corporation_id}/industry/jobs',
      for: 'corporation',
      fields: { station_id: 'location_id' }, // corporations' jobs name the station so
    }),
  ],
};
