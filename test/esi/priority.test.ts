import { expect, test } from '@jest/globals';
import { virtualClock } from '../support/virtual-clock.ts';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { AdmitRequest } from '../../src/esi/limits/admission.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { memoryRateLimitStore } from '../support/memory-rate-limit-store.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { ThrottleSettings } from '../../src/esi/limits/charges.ts';

const PRICES = '/markets/prices';
const STATUS = '/status';
const MINUTE = 60_000;

/** Rate limiters on one store, on a clock that moves when everybody sleeps. */
function start(throttle: ThrottleSettings) {
  const clock = virtualClock();
  const store = memoryRateLimitStore(() => clock.now());
  const worker = (name: string) =>
    new SharedRateLimiter({ store, worker: name, throttle, clock, log: silentLog });
  return { clock, worker };
}

/** Sends requests one after another. Returns a counter of answers. */
function hammer(
  rateLimiter: SharedRateLimiter,
  request: AdmitRequest,
  clock: ReturnType<typeof virtualClock>,
) {
  const count = { answers: 0, refused: 0 };
  const lane = async () => {
    for (;;) {
      try {
        const admission = await rateLimiter.admit(request);
        await clock.sleep(100);
        admission.complete(200);
        count.answers++;
      } catch (error) {
        if (!(error instanceof EsiError)) throw error;
        count.refused++;
        await clock.sleep(error.retryAfter ?? 1_000);
      }
    }
  };
  void lane();
  return count;
}

test('requests are admitted by priority, not by arrival', async () => {
  const { clock, worker } = start({ perMinute: 60, burst: 1 });
  const rateLimiter = worker('a');
  const order: number[] = [];
  for (const priority of [5, 3, 5, 1, 3, 1, 5]) {
    void rateLimiter.admit({ route: PRICES, priority }).then((admission) => {
      admission.complete(200);
      return order.push(priority);
    });
  }
  await clock.runUntil(clock.now() + 15_000);
  expect(order).toEqual([1, 1, 3, 3, 5, 5, 5]);
});

test('backfills on other workers leave a fifth of ESI_RATE_LIMIT to the current data', async () => {
  const { clock, worker } = start({ perMinute: 100 });
  const backfills = ['a', 'b'].map((name) => hammer(worker(name), { route: PRICES, priority: 5 }, clock));
  await clock.runUntil(clock.now() + MINUTE / 2);
  const taken = backfills.reduce((sum, { answers }) => sum + answers, 0);
  expect(taken).toBeLessThanOrEqual(80);
  expect(taken).toBeGreaterThan(75);
  const sweep = hammer(worker('c'), { route: PRICES, priority: 3 }, clock);
  await clock.runUntil(clock.now() + MINUTE / 4);
  expect(sweep.answers).toBeGreaterThanOrEqual(20 - 2); // each of the others may hold one that it was granted
});

test('hundreds of requests that wait for one bucket do not block a request of another', async () => {
  const { clock, worker } = start({ perMinute: 1_000_000 });
  const rateLimiter = worker('a');
  for (let spent = 0; spent + 5 <= 600; spent += 5)
    (await rateLimiter.admit({ route: STATUS })).complete(404);
  const stop = new AbortController();
  const patient = Array.from({ length: 250 }, () =>
    rateLimiter.admit({ route: STATUS, priority: 1, signal: stop.signal }).catch(() => 'away'),
  );
  let left = false;
  void rateLimiter.admit({ route: PRICES, priority: 3 }).then(() => (left = true));
  await clock.runUntil(clock.now() + 2_000);
  expect(left).toBe(true);
  stop.abort();
  expect(new Set(await Promise.all(patient))).toEqual(new Set(['away']));
});

test('an aborted request leaves the queue, and its tokens serve others', async () => {
  const { clock, worker } = start({ perMinute: 60, burst: 1 });
  const rateLimiter = worker('a');
  const stop = new AbortController();
  const cancelled = rateLimiter
    .admit({ route: PRICES, signal: stop.signal })
    .catch((error: Error) => error.message);
  stop.abort(new Error('enough'));
  expect(await cancelled).toBe('enough');
  const next = rateLimiter.admit({ route: PRICES });
  await clock.runUntil(clock.now() + 3_000);
  (await next).complete(200);
  await expect(rateLimiter.admit({ route: PRICES, signal: stop.signal })).rejects.toThrow('enough');
});
