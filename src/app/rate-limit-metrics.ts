import { Gauge, type Registry } from 'prom-client';
import { viewBucket } from '../esi/limits/bucket-view.ts';
import { HIDDEN_LIMIT_PREFIX } from '../esi/limits/charges.ts';
import type { StoredState } from '../esi/limits/token-bucket.ts';
import { readBuckets } from '../store/limits/rate-limit-store.ts';
import type { Database } from '../store/database.ts';

/** Adds the gauge of rate limits. Users of a group are summed up, because ids of characters must not become labels. */
export function addRateLimitMetrics(registry: Registry, db: Pick<Database, 'pool'>): void {
  // The constructor registers the gauge; it reads the limits whenever Prometheus scrapes.
  void new Gauge({
    name: 'esi_budget_tokens',
    help: "Tokens of ESI's limits and ours, by group: the limit, used in the window, leased by requests in flight, free",
    labelNames: ['group', 'state'],
    registers: [registry],
    async collect() {
      this.reset();
      // The other metrics must stay available while the database is unreachable.
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
  for (const row of await readBuckets<StoredState>(db)) {
    const { bucket, ...view } = viewBucket(row);
    const [group = bucket] = bucket.startsWith(HIDDEN_LIMIT_PREFIX) ? [bucket] : bucket.split('/');
    const sums = groups.get(group) ?? { limit: 0, used: 0, leased: 0, free: 0 };
    sums.limit += view.limit;
    sums.used += view.used + view.externalUsage;
    sums.leased += view.leased;
    sums.free += view.free;
    groups.set(group, sums);
  }
  return groups;
}
