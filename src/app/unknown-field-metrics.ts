import { Gauge, type Registry } from 'prom-client';
import { listUnknownFields } from '../engine/run/unknown-fields.ts';
import type { Database } from '../store/database.ts';

/** Adds the gauge of fields that ESI answers with and no collector knows. */
export function addUnknownFieldMetrics(registry: Registry, db: Database): void {
  // The constructor registers the gauge; it reads the fields whenever Prometheus scrapes.
  void new Gauge({
    name: 'esi_unknown_fields',
    help: "Fields of ESI's answers that are not collected, because this version does not know them",
    labelNames: ['route', 'field'],
    registers: [registry],
    async collect() {
      this.reset();
      // The other metrics must stay available while the database is unreachable.
      for (const { route, field } of await listUnknownFields({ db }).catch(() => []))
        this.set({ route, field }, 1);
    },
  });
}
