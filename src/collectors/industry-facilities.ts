import { z } from 'zod';
import { count, id } from '../esi/facts/bounds.ts';
import { defineCollector } from './define.ts';

export const industryFacilities = defineCollector({
  name: 'industry-facilities',
  description: 'Industry facilities: stations and structures open to industry, with owner and tax',
  route: '/industry/facilities',
  row: z.object({
    facility_id: id,
    owner_id: id,
    region_id: id,
    solar_system_id: id,
    type_id: count,
    tax: z.number().min(0).max(1).optional(), // a share
  }),
  table: 'industry_facilities',
  key: ['facility_id'],
  versionedAt: 'snapshot_at',
  change: { policy: 'snapshot' },
  references: { type_id: 'types', solar_system_id: 'systems' },
  schedule: { cronSetting: 'INDUSTRY_UPDATE_CRON' },
  enabledBy: 'COLLECT_INDUSTRY_DATA',
});
