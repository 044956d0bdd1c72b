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
}
