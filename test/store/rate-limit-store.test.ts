import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import type { Route } from '../../src/esi/facts/routes.ts';
import { deleteIdleBuckets, readBuckets } from '../../src/store/limits/rate-limit-store.ts';
import { type SharedLimits, sharedLimits } from '../support/shared-limits.ts';
import { eventually } from '../support/test-temporal.ts';

let limits: SharedLimits;
beforeEach(async () => {
  limits = await sharedLimits();
});
afterEach(() => limits.close());
const worker: SharedLimits['worker'] = (...args) => limits.worker(...args);
const view: SharedLimits['view'] = (bucket) => limits.view(bucket);

const INDUSTRY: Route = '/industry/systems'; // 150 tokens in fifteen minutes
const PRICES: Route = '/markets/prices'; // no bucket

/** Asks again and again until a wait is too long; returns how many requests left. */
async function hammer(rateLimiter: SharedRateLimiter, route: Route, status = 200): Promise<number> {
  for (let sent = 0; ; sent++) {
    try {
      const admission = await rateLimiter.admit({ route });
      await new Promise((resolve) => setImmediate(resolve)); // in flight
      admission.complete(status);
    } catch (error) {
      if (!(error instanceof EsiError)) throw error;
      expect(error).toMatchObject({ verdict: 'wait', retryAfter: expect.any(Number) });
      return sent;
    }
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, n) => all + n, 0);
const lanes = (budgets: readonly SharedRateLimiter[], route: Route, each = 4) =>
  Promise.all(
    budgets.flatMap((rateLimiter) => Array.from({ length: each }, () => hammer(rateLimiter, route))),
  );

test('three workers use a small bucket up to the last request and never exceed it', async () => {
  const budgets = ['a', 'b', 'c'].map((name) => worker(name));
  const sent = sum(await lanes(budgets, INDUSTRY));
  await Promise.all(budgets.map((rateLimiter) => rateLimiter.close()));
  const { used, leased, spenders } = await view('industry/ip');
  expect(used).toBe(2 * sent);
  expect(leased).toBe(0);
  expect(used).toBeLessThanOrEqual(150);
  expect(used).toBeGreaterThan(150 - 5); // what the next may cost at worst
  expect(sum(Object.values(spenders))).toBe(used);
});

test('three workers share ESI_RATE_LIMIT exactly', async () => {
  const budgets = ['a', 'b', 'c'].map((name) => worker(name, 40));
  expect(sum(await lanes(budgets, PRICES))).toBe(40);
  expect(await hammer(worker('d', 40), PRICES)).toBe(0);
});

test('usage is stored across a restart', async () => {
  const before = worker('before', 10);
  expect(await hammer(before, PRICES)).toBe(10);
  await before.close();
  const after = worker('after', 10);
  const refused = await after.admit({ route: PRICES }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ verdict: 'wait' });
  expect((refused as EsiError).retryAfter).toBeGreaterThan(20_000);
  expect((refused as EsiError).retryAfter).toBeLessThanOrEqual(61_000); // the window and a slot
  expect((await view('ESI_RATE_LIMIT')).spenders).toEqual({ before: 10 });
});

test('requests in flight of a killed worker count until they leave the window, and its usage stays', async () => {
  let isKilled = false;
  const { store } = limits;
  const doomed = worker('doomed', 10, {
    update: (...args) => (isKilled ? Promise.reject(new Error('killed')) : store.update(...args)),
  });
  for (let n = 0; n < 2; n++) (await doomed.admit({ route: PRICES })).complete(200);
  for (let n = 0; n < 5; n++) await doomed.admit({ route: PRICES });
  await eventually('two are reported', async () => (await view('ESI_RATE_LIMIT')).used === 2);
  isKilled = true;
  const heir = worker('heir', 10);
  for (let n = 0; n < 3; n++) (await heir.admit({ route: PRICES })).complete(200);
  const fourth = heir.admit({ route: PRICES }).catch((error: unknown) => error);
  await eventually('all is taken', async () => (await view('ESI_RATE_LIMIT')).used === 5);
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({
    leased: 5,
    free: 0,
    spenders: { doomed: 2, heir: 3 },
  });
  // The requests in flight reach the end of their lifetime, half a minute later: nobody can report them any more.
  await limits.db.pool.query(
    `UPDATE esi_buckets SET state = jsonb_set(state, '{slots}',
       (SELECT jsonb_agg(CASE WHEN s ->> 2 LIKE 'doomed#%' THEN jsonb_set(s, '{0}', to_jsonb($1::float8)) ELSE s END)
          FROM jsonb_array_elements(state -> 'slots') s))`,
    [Date.now() - 1],
  );
  expect(await fourth).toMatchObject({ verdict: 'wait' });
});

test('idle buckets are deleted and others stay', async () => {
  const long = new Date(Date.now() - 31 * 60_000);
  const old = { slots: [[long.getTime(), 5, 'a']] };
  const states = {
    idle: old,
    dead: { ...old, leases: { a: { tokens: 1, until: long.getTime() } } },
    strict: { ...old, stricterLimit: { tokens: 1, windowMs: 3_600_000 } },
    blocked: { ...old, blocked: { until: Date.now() + 600_000, reason: 'x' } },
    fresh: old,
  };
  for (const [bucket, state] of Object.entries(states))
    await limits.db.pool.query('INSERT INTO esi_buckets (bucket, state, updated_at) VALUES ($1, $2, $3)', [
      bucket,
      state,
      bucket === 'fresh' ? new Date() : long,
    ]);
  expect(await deleteIdleBuckets(limits.db)).toBe(2);
  expect((await readBuckets(limits.db)).map(({ bucket }) => bucket)).toEqual(['blocked', 'fresh', 'strict']);
  expect(await deleteIdleBuckets(limits.db)).toBe(0);
});
