import type { ProcedureCollector } from './define.ts';

export const structures: ProcedureCollector = {
  name: 'structures',
  description: 'Player structures that other data refers to, read with a character that has access',
  procedure: 'structures',
  schedule: { every: '15m' },
};
