import type { ProcedureCollector } from './define.ts';

export const structures: ProcedureCollector = {
  name: 'structures',
  about: 'Player structures that live data names, asked with whichever character may see them',
  procedure: 'structures',
  rhythm: { every: '15m' },
};
