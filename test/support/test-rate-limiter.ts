import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { memoryRateLimitStore } from './memory-rate-limit-store.ts';
import { silentLog } from '../../src/lib/log.ts';

/** A rate limiter with ESI's own limits and practically none on all requests, its state in memory. */
export function testRateLimiter(clock: Clock): SharedRateLimiter {
  const throttle = { perMinute: 1_000_000 };
  return new SharedRateLimiter({
    store: memoryRateLimitStore(() => clock.now()),
    worker: 'test',
    throttle,
    clock,
    log: silentLog,
  });
}
