import { Gauge, type Registry } from 'prom-client';
import { viewBucket } from '../lib/token-bucket-view.ts';
import { readBuckets } from '../store/limits/rate-limit-store.ts';
import type { Database } from '../store/database.ts';

/** Budgets as Prometheus sees them: per group, users of a group together, since ids of characters are no labels. */
export function addBudgetMetrics(registry: Registry, db: Pick<Database, 'pool'>): void {
  // Registered by itself; its numbers are looked up when Prometheus asks.
  void new Gauge({
    name: 'esi_budget_tokens',
    help: "Tokens of ESI's limits and ours, by group: the limit, used in the window, leased by workers, free",
    labelNames: ['group', 'state'],
    registers: [registry],
    async collect() {
      this.reset();
      // With the database away the other metrics are wanted all the more.
      const groups = await sumGroups(db).catch(() => new Map<string, Sums>());
      for (const [group, sums] of groups) {
        for (const [state, tokens] of Object.entries(sums)) this.set({ group, state }, tokens);
      }
    },
  });
}

interface Sums {
  limit: number;
  used: number;
  leased: number;
  free: number;
}

async function sumGroups(db: Pick<Database, 'pool'>): Promise<Map<string, Sums>> {
  const groups = new Map<string, Sums>();
  for (const { bucket, state, now } of await readBuckets(db)) {
    const [group = bucket] = bucket.startsWith('hidden ') ? [bucket] : bucket.split('/');
    const view = viewBucket(bucket, state, now);
    const sums = groups.get(group) ?? { limit: 0, used: 0, leased: 0, free: 0 };
    sums.limit += view.limit;
    sums.used += view.used + view.foreign;
    sums.leased += view.leased;
    sums.free += view.free;
    groups.set(group, sums);
  }
  return groups;
}
