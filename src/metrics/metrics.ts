import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Everything Prometheus sees of us: names in one place. Label values are few and known; no ids of characters. */
export interface Metrics {
  readonly registry: Registry;
  readonly request: (endpoint: string, status: string, seconds: number) => void;
  readonly query: (type: string) => void;
  readonly runFinished: (collector: string, outcome: string, rows: number, now: number) => void;
}

/** From a cached answer (5 ms) to our own time limit (15 s and more). */
const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

function esiMetrics(registers: Registry[]): Pick<Metrics, 'request'> {
  const requests = new Counter({
    name: 'esi_requests_total',
    help: 'Requests sent to ESI, by route and status',
    labelNames: ['endpoint', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'esi_request_duration_seconds',
    help: 'Time from sending a request to ESI to the end of its answer',
    labelNames: ['endpoint'],
    buckets: SECONDS,
    registers,
  });
  return {
    request(endpoint, status, seconds) {
      requests.inc({ endpoint, status });
      duration.observe({ endpoint }, seconds);
    },
  };
}

function collectorMetrics(registers: Registry[]): Pick<Metrics, 'runFinished'> {
  const lastRun = new Gauge({
    name: 'collector_last_run_timestamp',
    help: 'When a run of the collector last ended well (seconds since the epoch)',
    labelNames: ['collector_type'],
    registers,
  });
  const items = new Counter({
    name: 'collector_items_processed',
    help: 'Rows of the sets that runs read',
    labelNames: ['collector_type'],
    registers,
  });
  const runs = new Counter({
    name: 'collector_runs_total',
    help: 'Runs by how they ended',
    labelNames: ['collector_type', 'outcome'],
    registers,
  });
  return {
    runFinished(collector_type, outcome, rows, now) {
      runs.inc({ collector_type, outcome });
      if (rows > 0) items.inc({ collector_type }, rows);
      if (outcome === 'published' || outcome === 'unchanged') lastRun.set({ collector_type }, now / 1_000);
    },
  };
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const queries = new Counter({
    name: 'db_queries_total',
    help: 'Statements sent to PostgreSQL, by kind',
    labelNames: ['query_type'],
    registers: [registry],
  });
  const query = (query_type: string) => queries.inc({ query_type });
  return { registry, query, ...esiMetrics([registry]), ...collectorMetrics([registry]) };
}
