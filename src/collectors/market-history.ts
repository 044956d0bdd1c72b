import type { ProcedureCollector } from './define.ts';

export const marketHistory: ProcedureCollector = {
  name: 'market-history',
  about: 'Daily history of each type of a region: prices, orders, volume',
  procedure: 'market-history',
  for: 'region',
  rhythm: { cronSetting: 'MARKET_HISTORY_CRON' },
  switch: 'COLLECT_MARKET_HISTORY',
};
