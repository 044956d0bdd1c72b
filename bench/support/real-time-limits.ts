import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { migrate } from '../../src/store/migrate.ts';
import type { LimitUsage } from '../../simulator/index.ts';
import { measureAll, type Measured } from './measure-parts.ts';
import { LATENCY_MS } from './measure-rounds.ts';
import { rounded } from './report.ts';
import type { BenchServers } from './bench-servers.ts';

const MINUTE = 60_000;

/** Several kills within each window of the hidden limit. */
const KILL_EVERY_MS = 20_000;

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
  killEveryMs?: number,
): Promise<Measured> {
  const kind = killEveryMs === undefined ? '' : `, kill -9 every ${killEveryMs / 1_000} s`;
  const database = `real_${(limit.name + kind).replaceAll(/\W/g, '')}_${workers}`.toLowerCase();
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
  await Promise.all(Array.from({ length: workers }, () => runWorker(input, killEveryMs)));
  const answer = await fetch(`${simulator.url}/__simulator/limit-usage`);
  const report = (await answer.json()) as LimitUsage[];
  const offences = (await (await fetch(`${simulator.url}/__simulator/offences`)).json()) as {
    kind: string;
  }[];
  const exceeded = offences.filter(({ kind }) => kind !== 'too-early').length; // each worker repeats the same few URLs
  await simulator.stop();
  const usage = report.find((l) => l.name === limit.name) ?? { most: 0, spent: 0, refused: 0 };
  const share = usage.spent / (windows * limit.tokens);
  const what = `${limit.what}, ${workers} worker${workers > 1 ? 's' : ''}${kind}, real time`;
  return {
    lines: [
      {
        what,
        'used %': rounded(share * 100),
        'fullest window': usage.most,
        allowed: limit.tokens,
        refused: usage.refused,
        offences: exceeded,
      },
    ],
    bounds: [
      { demand: `${what}: fullest window`, limit: limit.tokens, measured: usage.most },
      { demand: `${what}: offences`, limit: 0, measured: exceeded },
      { demand: `${what}: % left unused`, limit: 5, measured: rounded((1 - share) * 100) },
    ],
    raw: { [what]: report },
  };
}

/** Runs a worker process until its time is over. With `killEveryMs` it is killed again and again, and a new one started. */
async function runWorker(input: RealTimeInput, killEveryMs?: number): Promise<void> {
  const script = fileURLToPath(new URL('./rate-limit-worker.js', import.meta.url));
  while (Date.now() < input.untilMs) {
    const child = spawn(process.execPath, [script, JSON.stringify(input)], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    const killer =
      killEveryMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killEveryMs);
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    clearTimeout(killer);
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`a worker ended with ${code ?? signal}`);
  }
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
  const parts = [
    () => measure(servers, 1, history, 3),
    () => measure(servers, 3, history, 3),
    () => measure(servers, 3, history, 3, KILL_EVERY_MS),
  ];
  if (minutes >= 45) parts.push(() => measure(servers, 3, status, 3));
  return measureAll(parts);
}
