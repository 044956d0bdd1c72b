import { z } from 'zod';
import { enumText, id } from '../esi/facts/bounds.ts';
import { defineCollector } from './define.ts';

/** One row per system and activity. Anything but a list is returned as it is, for the engine to reject. */
function flatten(json: unknown): unknown {
  if (!Array.isArray(json)) return json;
  return (json as unknown[]).flatMap((system) => {
    const { solar_system_id, cost_indices } = (system ?? {}) as Record<string, unknown>;
    if (!Array.isArray(cost_indices)) return [system];
    return cost_indices.map((index: unknown) => ({ solar_system_id, ...(index as object) }));
  });
}

export const industryIndices = defineCollector({
  name: 'industry-indices',
  description: 'Industry cost index of each system and activity, a row per day',
  route: '/industry/systems',
  rows: flatten,
  outerFields: ['cost_indices'],
  row: z.object({
    solar_system_id: id,
    activity: enumText,
    cost_index: z.number().nonnegative().max(10), // a share of the job's value; the highest seen was 0.14
  }),
  table: 'industry_indices',
  key: ['solar_system_id', 'activity'],
  versionedAt: 'date',
  change: { policy: 'daily' },
  references: { solar_system_id: 'systems' },
  schedule: { cronSetting: 'INDUSTRY_UPDATE_CRON' },
  enabledBy: 'COLLECT_INDUSTRY_DATA',
});
