import { LOW_PRIORITY } from '../src/esi/facts/priorities.ts';
import { saturateRateLimiter, worstWindow } from '../test/support/saturate-rate-limiter.ts';
import { virtualClock } from '../test/support/virtual-clock.ts';
import { measureManyBuckets } from './support/many-buckets.ts';
import { type Measured, runParts } from './support/measure-parts.ts';
import { measureRateLimiterCost } from './support/rate-limiter-cost.ts';
import { measureRealTime } from './support/real-time-limits.ts';
import { type Bound, type Line, rounded } from './support/report.ts';

const MINUTE = 60_000;

/** A limit on all requests that is never reached: only the measured limit applies. */
const NO_CEILING = { perMinute: 1_000_000 };

const HISTORY = { route: '/markets/{region_id}/history', cost: 1, tokens: 300, windowMs: MINUTE } as const;
const STATUS = { route: '/status', cost: 2, tokens: 600, windowMs: 15 * MINUTE } as const;

/** The product's default limit on all requests. */
const OWN = { perMinute: 300, burst: 50 };

/** The limits, each measured over some of its windows. */
const LIMITS = [
  { what: 'hidden limit 300 a minute', ...HISTORY, throttle: NO_CEILING, windows: 3 },
  { what: 'hidden limit 300 a minute, its first minute', ...HISTORY, throttle: NO_CEILING, windows: 1 },
  {
    what: 'hidden limit, kill -9 every 20 s',
    ...HISTORY,
    throttle: NO_CEILING,
    windows: 5,
    killEveryMs: 20_000,
  },
  {
    what: 'ESI_RATE_LIMIT 300 by bulk work alone',
    ...HISTORY,
    throttle: OWN,
    windows: 3,
    priority: LOW_PRIORITY,
  },
  { what: 'bucket 600 in 15 minutes', ...STATUS, throttle: NO_CEILING, windows: 3 },
];

/** Measures in simulated time how much of a limit is used, and the most in any window. */
async function measureSimulatedTime(): Promise<Measured> {
  const lines: Line[] = [];
  const bounds: Bound[] = [];
  for (const { what, tokens, windowMs, windows, ...options } of LIMITS) {
    for (const workers of [1, 3]) {
      const forMs = windows * windowMs;
      const arrivals = await saturateRateLimiter(virtualClock(), { ...options, workers, forMs });
      const share = arrivals.reduce((sum, a) => sum + a.tokens, 0) / (windows * tokens);
      const worst = worstWindow(arrivals, windowMs);
      const name = `${what}, ${workers} worker${workers > 1 ? 's' : ''}, simulated time`;
      lines.push({ what: name, 'used %': rounded(share * 100), 'fullest window': worst, allowed: tokens });
      bounds.push({ demand: `${name}: fullest window`, limit: tokens, measured: worst });
      bounds.push({ demand: `${name}: % left unused`, limit: 5, measured: rounded((1 - share) * 100) });
    }
  }
  return { lines, bounds, raw: {} };
}

/**
 * ESI's limits: how much of a limit is used, that it is never exceeded, what the rate limiter costs, and that it stays fast
 * with 10,000 users. `BENCH_REAL_MINUTES=5` adds the hidden limit in real time, `=60` also the bucket, both counted by
 * the simulated ESI.
 */
export const benchBudget = (): Promise<boolean> =>
  runParts({
    name: 'budget',
    notes: [
      'Simulated time: requests and answers take up to 150 ms each way; ESI counts when a request arrives.',
      'The fullest window is the most in any window.',
    ],
    parts: {
      simulated: measureSimulatedTime,
      buckets: measureManyBuckets,
      cost: measureRateLimiterCost,
      real: measureRealTime,
    },
  });
