import { z } from 'zod';
import { defineCollector } from './define.ts';

export const industryFacilities = defineCollector({
  name: 'industry-facilities',
  about: 'Industry facilities: stations and structures open to industry, with owner and tax',
  route: '/industry/facilities',
  row: z.object({
    facility_id: z.int().positive(),
    owner_id: z.int().positive(),
    region_id: z.int().positive(),
    solar_system_id: z.int().positive(),
    type_id: z.int().nonnegative(),
    tax: z.number().min(0).max(1).optional(), // a share
  }),
  table: 'industry_facilities',
  key: ['facility_id'],
  seenAt: 'snapshot_at',
  change: { policy: 'snapshot' },
  lookups: { type_id: 'types', solar_system_id: 'systems' },
  rhythm: { cronSetting: 'INDUSTRY_UPDATE_CRON' },
  switch: 'COLLECT_INDUSTRY_DATA',
});
