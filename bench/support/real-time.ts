import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { migrate } from '../../src/store/migrate.ts';
import type { Measured } from './measured.ts';
import { rounded } from './report.ts';
import type { BenchServers } from './servers.ts';

const MINUTE = 60_000;

/** What a worker process is told. */
export interface RealTimeOrder {
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly route: '/markets/{region_id}/history' | '/status';
  readonly untilMs: number;
}

interface LimitUsage {
  readonly name: string;
  readonly allowed: number | null;
  readonly most: number;
  readonly spent: number;
  readonly refused: number;
}

/** Runs worker processes that ask as fast as they may, and lets the simulated ESI judge. */
async function measure(
  servers: BenchServers,
  workers: number,
  limit: { what: string; route: RealTimeOrder['route']; name: string; tokens: number; windowMs: number },
  windows: number,
): Promise<Measured> {
  const database = `real_${limit.name.replaceAll(/\W/g, '')}_${workers}`.toLowerCase();
  await servers.admin(`CREATE DATABASE ${database}`);
  const databaseUrl = servers.databaseUrl(database);
  await migrate(databaseUrl, new Date());
  const simulator = await servers.simulator('--latency', '50');
  const forMs = windows * limit.windowMs;
  const order: RealTimeOrder = {
    databaseUrl,
    esiUrl: simulator.url,
    route: limit.route,
    untilMs: Date.now() + forMs,
  };
  await Promise.all(Array.from({ length: workers }, () => runWorker(order)));
  const answer = await fetch(`${simulator.url}/__simulator/limit-usage`);
  const report = (await answer.json()) as LimitUsage[];
  await simulator.stop();
  const line = report.find((l) => l.name === limit.name) ?? { most: 0, spent: 0, refused: 0 };
  const share = line.spent / (windows * limit.tokens);
  const what = `${limit.what}, ${workers} worker${workers > 1 ? 's' : ''}, real time`;
  return {
    lines: [
      {
        what,
        'used %': rounded(share * 100),
        'fullest window': line.most,
        allowed: limit.tokens,
        refused: line.refused,
      },
    ],
    bounds: [
      { demand: `${what}: fullest window`, limit: limit.tokens, measured: line.most },
      { demand: `${what}: % left unused`, limit: 5, measured: rounded((1 - share) * 100) },
    ],
    raw: { [what]: report },
  };
}

function runWorker(order: RealTimeOrder): Promise<void> {
  const script = fileURLToPath(new URL('./budget-worker.js', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
  });
}

/**
 * The same as in simulated time, in real time: the hidden limit always (three minutes for each number of workers), the
 * bucket of 150 in fifteen minutes when BENCH_REAL_MINUTES leaves time for it.
 */
export async function measureRealTime(servers: BenchServers): Promise<Measured> {
  // oxlint-disable-next-line node/no-process-env -- a bench's own switch
  const minutes = Number(process.env['BENCH_REAL_MINUTES'] ?? '0');
  const total: { lines: Measured['lines']; bounds: Measured['bounds']; raw: Record<string, unknown> } = {
    lines: [],
    bounds: [],
    raw: {},
  };
  const history = {
    what: 'hidden limit 300 a minute',
    route: '/markets/{region_id}/history',
    name: 'hidden /markets/{region_id}/history',
    tokens: 300,
    windowMs: MINUTE,
  } as const;
  const status = {
    what: 'bucket 600 in 15 minutes',
    route: '/status',
    name: 'status',
    tokens: 600,
    windowMs: 15 * MINUTE,
  } as const;
  const jobs =
    minutes > 0 ? [() => measure(servers, 1, history, 3), () => measure(servers, 3, history, 3)] : [];
  if (minutes >= 45) jobs.push(() => measure(servers, 3, status, 3));
  for (const job of jobs) {
    const measured = await job();
    total.lines.push(...measured.lines);
    total.bounds.push(...measured.bounds);
    Object.assign(total.raw, measured.raw);
  }
  return total;
}
