import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The Prometheus metrics. Label values are few and known, so ids of characters are none. */
export interface Metrics {
  readonly registry: Registry;
  readonly request: (endpoint: string, status: string, seconds: number) => void;
  /** Counts a statement by its first word. */
  readonly query: (type: string) => void;
  /** Counts a closed run and its rows. `now` in milliseconds. */
  readonly runFinished: (collector: string, outcome: string, rows: number, now: number) => void;
}

/** Buckets from a cached answer (5 ms) to the client's timeout (15 s and more). */
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
    help: 'When a run of the collector last succeeded (seconds since the epoch)',
    labelNames: ['collector_type'],
    registers,
  });
  const items = new Counter({
    name: 'collector_items_processed',
    help: 'Rows of the snapshots that runs read',
    labelNames: ['collector_type'],
    registers,
  });
  const runs = new Counter({
    name: 'collector_runs_total',
    help: 'Closed runs by outcome',
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
