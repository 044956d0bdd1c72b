import { z } from 'zod';
import { date, int4, isk } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

const id = z.int().positive();

const jobSet = {
  part: '',
  query: { include_completed: 'true' }, // ESI tells of completed jobs for 90 days
  row: z.object({
    job_id: id,
    installer_id: id,
    facility_id: id,
    station_id: id.optional(),
    activity_id: int4,
    blueprint_id: id,
    blueprint_type_id: z.int().nonnegative(),
    blueprint_location_id: z.int(),
    output_location_id: z.int(),
    runs: z.int().nonnegative(),
    cost: isk.nonnegative().optional(),
    licensed_runs: z.int().optional(),
    probability: z.number().min(0).max(1).optional(),
    product_type_id: z.int().nonnegative().optional(),
    status: z.string().min(1).max(50),
    duration: z.int().nonnegative(), // seconds
    start_date: date,
    end_date: date,
    pause_date: date.optional(),
    completed_date: date.optional(),
    completed_character_id: id.optional(),
    successful_runs: z.int().nonnegative().optional(),
  }),
  table: 'industry_jobs',
  shared: true,
  key: ['job_id'],
  seenAt: 'snapshot_at',
  change: { policy: 'upsert' },
  // Blueprints and products lie in containers as well, whose ids nobody may try as those of structures.
  lookups: {
    blueprint_type_id: 'types',
    product_type_id: 'types',
    station_id: 'locations',
    facility_id: 'locations',
  },
} as const;

export const industry: OwnerCollector = {
  name: 'industry',
  about: 'Industry jobs, completed ones included, kept after ESI forgets them',
  rhythm: { every: '30m' },
  parts: [
    defineResource({ ...jobSet, route: '/characters/{character_id}/industry/jobs', for: 'character' }),
    defineResource({
      ...jobSet,
      route: '/corporations/{corporation_id}/industry/jobs',
      for: 'corporation',
      rename: { station_id: 'location_id' }, // the same thing under another name
    }),
  ],
};
