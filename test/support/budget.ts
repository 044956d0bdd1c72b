import { LedgerBudget } from '../../src/esi/budget.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { memoryLedger } from '../../src/kernel/memory-ledger.ts';
import { silentLog } from '../../src/kernel/log.ts';

/** ESI's limits as they are, our own ceiling lifted, kept in memory. */
export function testBudget(clock: Clock): LedgerBudget {
  const ceiling = { perMinute: 1_000_000 };
  return new LedgerBudget({
    store: memoryLedger(() => clock.now()),
    worker: 'test',
    ceiling,
    clock,
    log: silentLog,
  });
}
