import { Gauge, type Registry } from 'prom-client';
import type { Database } from '../store/database.ts';
import { countOpenGaps } from '../store/sets/journal-gap-store.ts';

/** Adds the gauge of gaps of wallet journals. */
export function addJournalGapMetrics(registry: Registry, db: Pick<Database, 'pool'>): void {
  // The constructor registers the gauge; it counts the gaps whenever Prometheus scrapes.
  void new Gauge({
    name: 'wallet_journal_gaps',
    help: 'Gaps of wallet journals that nobody has accepted',
    registers: [registry],
    async collect() {
      this.reset();
      // The other metrics must stay available while the database is unreachable.
      const count = await countOpenGaps(db.pool).catch(() => undefined);
      if (count !== undefined) this.set(count);
    },
  });
}
