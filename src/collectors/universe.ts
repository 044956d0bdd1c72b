import type { ProcedureCollector } from './define.ts';

export const universe: ProcedureCollector = {
  name: 'universe',
  description: 'Static data: types, groups, regions, systems, stations, schematics',
  procedure: 'universe',
  schedule: { cronSetting: 'UNIVERSE_UPDATE_CRON' },
  enabledBy: 'COLLECT_UNIVERSE_DATA',
};
