import type { ProcedureCollector } from './define.ts';

export const marketHistory: ProcedureCollector = {
  name: 'market-history',
  description: 'Daily history of each type of a region: prices, orders, volume',
  procedure: 'market-history',
  for: 'region',
  schedule: { cronSetting: 'MARKET_HISTORY_CRON' },
  enabledBy: 'COLLECT_MARKET_HISTORY',
};
