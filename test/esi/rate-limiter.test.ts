import { expect, test } from '@jest/globals';
import { saturateRateLimiter, worstWindow } from '../support/saturate-rate-limiter.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const LIFTED = { perMinute: 1_000_000 };

for (const workers of [1, 3]) {
  test(`${workers} worker(s) use a bucket of 600 tokens in 15 minutes fully and never exceed it`, async () => {
    const options = { workers, route: '/status', cost: 2, forMs: 45 * MINUTE, throttle: LIFTED } as const;
    const arrivals = await saturateRateLimiter(virtualClock(), options);
    expect(worstWindow(arrivals, 15 * MINUTE)).toBeLessThanOrEqual(600);
    const used = arrivals.reduce((sum, { tokens }) => sum + tokens, 0);
    expect(used).toBeGreaterThanOrEqual(0.95 * 3 * 600);
  });

  test(`${workers} worker(s) use a hidden limit of 300 requests a minute fully and never exceed it`, async () => {
    const route = '/markets/{region_id}/history';
    const arrivals = await saturateRateLimiter(virtualClock(), {
      workers,
      route,
      cost: 1,
      forMs: 3 * MINUTE,
      throttle: LIFTED,
    });
    expect(worstWindow(arrivals, MINUTE)).toBeLessThanOrEqual(300);
    expect(arrivals.length).toBeGreaterThanOrEqual(0.95 * 3 * 300);
  });

  test(`${workers} worker(s) keep ESI_RATE_LIMIT and its burst`, async () => {
    const throttle = { perMinute: 120, burst: 10 };
    const route = '/markets/{region_id}/orders';
    const arrivals = await saturateRateLimiter(virtualClock(), {
      workers,
      route,
      cost: 1,
      forMs: 5 * MINUTE,
      throttle,
    });
    expect(worstWindow(arrivals, MINUTE)).toBeLessThanOrEqual(120);
    // The burst, the refill of that second, and requests of the second before that arrive now.
    expect(worstWindow(arrivals, 1_000)).toBeLessThanOrEqual(10 + 2 * 2);
    expect(arrivals.length).toBeGreaterThanOrEqual(0.95 * 5 * 120);
  });

  test(`${workers} worker(s) of bulk work alone use ESI_RATE_LIMIT fully, from the first minute on`, async () => {
    const route = '/markets/{region_id}/history';
    const throttle = { perMinute: 300, burst: 50 };
    const options = { workers, route, cost: 1, throttle, priority: 4 } as const;
    for (const minutes of [1, 3]) {
      const arrivals = await saturateRateLimiter(virtualClock(), { ...options, forMs: minutes * MINUTE });
      expect(worstWindow(arrivals, MINUTE)).toBeLessThanOrEqual(300);
      expect(arrivals.length).toBeGreaterThanOrEqual(0.95 * minutes * 300);
    }
  });

  test(`${workers} worker(s) that are killed every 20 s never exceed a limit, and lose only what was in flight`, async () => {
    const route = '/markets/{region_id}/history';
    const killEveryMs = 20_000;
    const arrivals = await saturateRateLimiter(virtualClock(), {
      workers,
      route,
      cost: 1,
      forMs: 5 * MINUTE,
      throttle: LIFTED,
      killEveryMs,
    });
    expect(worstWindow(arrivals, MINUTE)).toBeLessThanOrEqual(300);
    // At 5 requests a second and up to 0.3 s each, two are in flight; each counts for half a minute longer.
    expect(arrivals.length).toBeGreaterThanOrEqual(0.95 * 5 * 300);
  });
}
