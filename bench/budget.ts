import { saturateRateLimiter, worstWindow } from '../test/support/saturate-rate-limiter.ts';
import { type Bound, type Line, rounded, writeReport } from './support/report.ts';
import { measureAdmission } from './support/admission.ts';
import { measureLedgerCost } from './support/ledger-cost.ts';
import { measureRealTime } from './support/real-time.ts';
import { withServers } from './support/servers.ts';
import { virtualClock } from '../test/support/virtual-clock.ts';

const MINUTE = 60_000;

/** The ceiling out of the way: only the measured limit binds. */
const LIFTED = { perMinute: 1_000_000 };

/** The two limits of the demand, each over three of its windows. */
const LIMITS = [
  {
    what: 'hidden limit 300 a minute',
    route: '/markets/{region_id}/history',
    cost: 1,
    tokens: 300,
    windowMs: MINUTE,
  },
  { what: 'bucket 600 in 15 minutes', route: '/status', cost: 2, tokens: 600, windowMs: 15 * MINUTE },
] as const;

/** Simulated time: a share of what is allowed, and the fullest window wherever it is laid. */
async function simulated(): Promise<{ lines: Line[]; bounds: Bound[] }> {
  const lines: Line[] = [];
  const bounds: Bound[] = [];
  for (const { what, route, cost, tokens, windowMs } of LIMITS) {
    for (const workers of [1, 3]) {
      const forMs = 3 * windowMs;
      const arrivals = await saturateRateLimiter(virtualClock(), {
        workers,
        route,
        cost,
        forMs,
        throttle: LIFTED,
      });
      const share = arrivals.reduce((sum, a) => sum + a.tokens, 0) / (3 * tokens);
      const worst = worstWindow(arrivals, windowMs);
      const name = `${what}, ${workers} worker${workers > 1 ? 's' : ''}, simulated time`;
      lines.push({ what: name, 'used %': rounded(share * 100), 'fullest window': worst, allowed: tokens });
      bounds.push({ demand: `${name}: fullest window`, limit: tokens, measured: worst });
      bounds.push({ demand: `${name}: % left unused`, limit: 5, measured: rounded((1 - share) * 100) });
    }
  }
  return { lines, bounds };
}

/**
 * Budgets: how much of a limit is used and that it is never exceeded, what the ledger costs, and that it stays quick with
 * 10,000 users. `BENCH_REAL_MINUTES=5` adds the hidden limit in real time, `=60` the bucket too, judged by the
 * simulated ESI.
 */
export async function benchBudget(): Promise<boolean> {
  const { lines, bounds } = await simulated();
  const raw: Record<string, unknown> = {};
  let postgres = '';
  await withServers(async (servers) => {
    postgres = servers.postgresVersion;
    for (const measure of [measureAdmission, measureLedgerCost, measureRealTime]) {
      const measured = await measure(servers);
      lines.push(...measured.lines);
      bounds.push(...measured.bounds);
      Object.assign(raw, measured.raw);
    }
  });
  const notes = [
    'Simulated time: requests and answers take up to 150 ms each way; ESI counts when a request arrives.',
    'The fullest window is the most that any window, wherever it is laid, holds.',
  ];
  return writeReport({ name: 'budget', postgres, notes, lines, bounds, raw });
}
