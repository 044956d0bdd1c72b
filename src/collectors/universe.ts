import type { ProcedureCollector } from './define.ts';

export const universe: ProcedureCollector = {
  name: 'universe',
  about: 'Static data: types, groups, regions, systems, stations, schematics',
  procedure: 'universe',
  rhythm: { cronSetting: 'UNIVERSE_UPDATE_CRON' },
  switch: 'COLLECT_UNIVERSE_DATA',
};
