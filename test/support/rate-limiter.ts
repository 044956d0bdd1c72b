import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { memoryRateLimitStore } from './memory-rate-limit-store.ts';
import { silentLog } from '../../src/lib/log.ts';

/** ESI's limits as they are, our own ceiling lifted, kept in memory. */
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
