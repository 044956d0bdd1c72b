import { z } from 'zod';
import { defineCollector } from './define.ts';

/** Ten activities per system at most; what is no list of systems is for the engine to complain about. */
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
  about: 'Industry cost index of each system and activity, a row per day',
  route: '/industry/systems',
  rows: flatten,
  row: z.object({
    solar_system_id: z.int().positive(),
    activity: z.string().min(1).max(50),
    cost_index: z.number().nonnegative().max(10), // shares of the job's value: 0.14 was the highest seen
  }),
  table: 'industry_indices',
  key: ['solar_system_id', 'activity'],
  seenAt: 'date',
  change: { policy: 'daily' },
  lookups: { solar_system_id: 'systems' },
  rhythm: { cronSetting: 'INDUSTRY_UPDATE_CRON' },
  switch: 'COLLECT_INDUSTRY_DATA',
});
