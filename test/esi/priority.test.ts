import { expect, test } from '@jest/globals';
import { virtualClock } from '../support/virtual-clock.ts';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { Admission, AdmitRequest } from '../../src/esi/limits/admission.ts';
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

/** Sends requests in lanes, each one after another. Returns a counter of answers. */
function hammer(
  rateLimiter: SharedRateLimiter,
  request: AdmitRequest,
  clock: ReturnType<typeof virtualClock>,
  lanes = 1,
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
  for (let n = 0; n < lanes; n++) void lane();
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

test('bulk work of other workers uses everything, and gives way within a second to current work', async () => {
  const { clock, worker } = start({ perMinute: 300, burst: 50 });
  const bulk = ['a', 'b'].map((name) => hammer(worker(name), { route: PRICES, priority: 4 }, clock));
  const total = () => bulk.reduce((sum, { answers }) => sum + answers, 0);
  await clock.runUntil(clock.now() + 2 * MINUTE);
  expect(total()).toBeGreaterThanOrEqual(0.95 * 2 * 300);

  const current = hammer(worker('c'), { route: PRICES, priority: 3 }, clock, 4);
  await clock.runUntil(clock.now() + 1_000);
  const before = { bulk: total(), current: current.answers };
  await clock.runUntil(clock.now() + MINUTE / 2);
  expect(total() - before.bulk).toBeLessThanOrEqual(2); // those that were in flight
  expect(current.answers - before.current).toBeGreaterThanOrEqual(0.95 * 150);
});

test('bulk work goes on as soon as current work has its tokens', async () => {
  const { clock, worker } = start({ perMinute: 300, burst: 50 });
  const bulk = hammer(worker('a'), { route: PRICES, priority: 4 }, clock);
  await clock.runUntil(clock.now() + MINUTE);
  const current = worker('b');
  for (let n = 0; n < 10; n++)
    void current.admit({ route: PRICES }).then((admission) => admission.complete(200));
  await clock.runUntil(clock.now() + 3_000); // ten take two seconds
  const before = bulk.answers;
  await clock.runUntil(clock.now() + 10_000);
  expect(bulk.answers - before).toBeGreaterThanOrEqual(0.95 * 50);
});

test('a request of a person goes before the current work of other workers', async () => {
  const { clock, worker } = start({ perMinute: 60, burst: 1 });
  for (const name of ['a', 'b']) hammer(worker(name), { route: PRICES, priority: 3 }, clock);
  await clock.runUntil(clock.now() + 10_000);
  const asked = clock.now();
  let admittedAt = 0;
  void worker('c')
    .admit({ route: PRICES, priority: 1 })
    .then(() => (admittedAt = clock.now()));
  await clock.runUntil(clock.now() + 5_000);
  expect(admittedAt - asked).toBeLessThanOrEqual(2_000); // the next token, or the one after it
});

test('a process reserves only requests that are about to be sent', async () => {
  const { clock, worker } = start({ perMinute: 1_000_000 });
  const rateLimiter = worker('a');
  const admissions: Admission[] = [];
  for (let n = 0; n < 50; n++)
    void rateLimiter.admit({ route: PRICES }).then((admission) => admissions.push(admission));
  await clock.runUntil(clock.now() + 1_000);
  expect(admissions).toHaveLength(20);
  for (const admission of admissions.slice(0, 7)) admission.complete(200);
  await clock.runUntil(clock.now() + 1_000);
  expect(admissions).toHaveLength(20 + 3 * 7); // in place of those that ended, and of those that end meanwhile
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
