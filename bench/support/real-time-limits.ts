import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { migrate } from '../../src/store/migrate.ts';
import type { LimitUsage } from '../../simulator/index.ts';
import { measureAll, type Measured } from './measure-parts.ts';
import { LATENCY_MS } from './measure-rounds.ts';
import { rounded } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

const MINUTE = 60_000;

/** The input of a worker process. */
export interface RealTimeInput {
  readonly databaseUrl: string;
  readonly esiUrl: string;
  readonly route: '/markets/{region_id}/history' | '/status';
  readonly untilMs: number;
}

/** Runs worker processes that send requests as fast as they are admitted. The simulated ESI counts them. */
async function measure(
  servers: BenchServers,
  workers: number,
  limit: { what: string; route: RealTimeInput['route']; name: string; tokens: number; windowMs: number },
  windows: number,
): Promise<Measured> {
  const database = `real_${limit.name.replaceAll(/\W/g, '')}_${workers}`.toLowerCase();
  await servers.admin(`CREATE DATABASE ${database}`);
  const databaseUrl = servers.databaseUrl(database);
  await migrate(databaseUrl, new Date());
  const simulator = await servers.simulator({ latency: LATENCY_MS });
  const forMs = windows * limit.windowMs;
  const input: RealTimeInput = {
    databaseUrl,
    esiUrl: simulator.url,
    route: limit.route,
    untilMs: Date.now() + forMs,
  };
  await Promise.all(Array.from({ length: workers }, () => runWorker(input)));
  const answer = await fetch(`${simulator.url}/__simulator/limit-usage`);
  const report = (await answer.json()) as LimitUsage[];
  await simulator.stop();
  const usage = report.find((l) => l.name === limit.name) ?? { most: 0, spent: 0, refused: 0 };
  const share = usage.spent / (windows * limit.tokens);
  const what = `${limit.what}, ${workers} worker${workers > 1 ? 's' : ''}, real time`;
  return {
    lines: [
      {
        what,
        'used %': rounded(share * 100),
        'fullest window': usage.most,
        allowed: limit.tokens,
        refused: usage.refused,
      },
    ],
    bounds: [
      { demand: `${what}: fullest window`, limit: limit.tokens, measured: usage.most },
      { demand: `${what}: % left unused`, limit: 5, measured: rounded((1 - share) * 100) },
    ],
    raw: { [what]: report },
  };
}

function runWorker(input: RealTimeInput): Promise<void> {
  const script = fileURLToPath(new URL('./rate-limit-worker.js', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(input)], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
  });
}

/**
 * Measures the limits in real time: with `BENCH_REAL_MINUTES` the hidden limit, three minutes for each number of workers;
 * with 45 minutes and more also the bucket of 600 tokens in fifteen minutes.
 */
export async function measureRealTime(servers: BenchServers): Promise<Measured> {
  // oxlint-disable-next-line node/no-process-env -- a setting of the bench only
  const minutes = Number(process.env['BENCH_REAL_MINUTES'] ?? '0');
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
  if (!(minutes > 0)) return measureAll([]);
  const parts = [() => measure(servers, 1, history, 3), () => measure(servers, 3, history, 3)];
  if (minutes >= 45) parts.push(() => measure(servers, 3, status, 3));
  return measureAll(parts);
}
