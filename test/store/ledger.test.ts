import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { Admission } from '../../src/esi/limits/admission.ts';
import { EsiError } from '../../src/esi/esi-error.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type BucketView, viewBucket } from '../../src/lib/token-bucket-view.ts';
import { emptyBucket, type RateLimitStore } from '../../src/lib/token-bucket.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Route } from '../../src/esi/facts/routes.ts';
import { openDatabase } from '../../src/store/database.ts';
import {
  forgetIdleBuckets,
  postgresRateLimitStore,
  readBuckets,
} from '../../src/store/limits/rate-limit-store.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { eventually } from '../support/temporal.ts';

let db: TestDatabase;
let closing: (() => Promise<void>)[];
beforeEach(async () => {
  db = await testDatabase();
  closing = [];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  await db.drop();
});

const LIFTED = 1_000_000;
const INDUSTRY: Route = '/industry/systems'; // 150 tokens in fifteen minutes
const PRICES: Route = '/markets/prices'; // no bucket

function worker(
  name: string,
  perMinute = LIFTED,
  store: RateLimitStore = postgresRateLimitStore(db),
): SharedRateLimiter {
  const ceiling = { perMinute };
  const budget = new SharedRateLimiter({ store, worker: name, ceiling, clock: systemClock, log: silentLog });
  closing.push(() => budget.close());
  return budget;
}

/** Asks again and again until a wait is too long; returns how many requests left. */
async function hammer(budget: SharedRateLimiter, route: Route, status = 200): Promise<number> {
  for (let sent = 0; ; sent++) {
    try {
      const admission = await budget.admit({ route });
      await new Promise((resolve) => setImmediate(resolve)); // on its way
      admission.settle(status);
    } catch (error) {
      if (!(error instanceof EsiError)) throw error;
      expect(error).toMatchObject({ verdict: 'wait', retryAfter: expect.any(Number) });
      return sent;
    }
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, n) => all + n, 0);
const lanes = (budgets: readonly SharedRateLimiter[], route: Route, each = 4) =>
  Promise.all(budgets.flatMap((budget) => Array.from({ length: each }, () => hammer(budget, route))));

async function view(bucket: string): Promise<BucketView> {
  const row = (await readBuckets(db)).find((found) => found.bucket === bucket);
  return viewBucket(bucket, row?.state ?? emptyBucket(), row?.now ?? 0);
}

test('three workers at once use a small bucket to the last whole request, and never beyond', async () => {
  const budgets = ['a', 'b', 'c'].map((name) => worker(name));
  const sent = sum(await lanes(budgets, INDUSTRY));
  await Promise.all(budgets.map((budget) => budget.close()));
  const { used, leased, spenders } = await view('industry/ip');
  expect(used).toBe(2 * sent);
  expect(leased).toBe(0);
  expect(used).toBeLessThanOrEqual(150);
  expect(used).toBeGreaterThan(150 - 5); // what the next may cost at worst
  expect(sum(Object.values(spenders))).toBe(used);
});

test('three workers at once share one ceiling exactly', async () => {
  const budgets = ['a', 'b', 'c'].map((name) => worker(name, 40));
  expect(sum(await lanes(budgets, PRICES))).toBe(40);
  expect(await hammer(worker('d', 40), PRICES)).toBe(0);
});

test('a restart does not forget what was spent', async () => {
  const before = worker('before', 10);
  expect(await hammer(before, PRICES)).toBe(10);
  await before.close();
  const after = worker('after', 10);
  const refused = await after.admit({ route: PRICES }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ verdict: 'wait' });
  expect((refused as EsiError).retryAfter).toBeGreaterThan(20_000);
  expect((refused as EsiError).retryAfter).toBeLessThanOrEqual(61_000); // the window and a slot
  expect((await view('ceiling')).spenders).toEqual({ before: 10 });
});

test('what a worker held when it was killed is spent for the others, for a window after its lease', async () => {
  let killed = false;
  const real = postgresRateLimitStore(db);
  const never = new Promise<never>(() => undefined);
  const doomed = new SharedRateLimiter({
    store: { exchange: (asks) => (killed ? never : real.exchange(asks)) },
    worker: 'doomed',
    ceiling: { perMinute: 10 },
    clock: systemClock,
    log: silentLog,
  });
  for (let n = 0; n < 7; n++) await doomed.admit({ route: PRICES });
  killed = true;
  const heir = worker('heir', 10);
  for (let n = 0; n < 3; n++) (await heir.admit({ route: PRICES })).settle(200);
  const fourth = heir.admit({ route: PRICES }).catch((error: unknown) => error); // the lease may yet be given back
  await eventually('all is taken', async () => (await view('ceiling')).used === 3);
  expect(await view('ceiling')).toMatchObject({ leased: 7, free: 0 });
  // Its lease ends: fifteen seconds later.
  await db.pool.query(
    `UPDATE esi_buckets SET state = jsonb_set(state, '{leases,doomed,until}', to_jsonb($1::float8))`,
    [Date.now() - 1],
  );
  expect(await fourth).toMatchObject({ verdict: 'wait' });
  await heir.close();
  expect(await view('ceiling')).toMatchObject({ used: 10, leased: 0, spenders: { doomed: 7, heir: 3 } });
});

/** The database behind a port that can be closed. */
async function proxied() {
  const target = new URL(db.url);
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      }); // prettier-ignore
    }
    near.pipe(far).pipe(near);
  });
  const listen = (port: number) =>
    new Promise<number>((resolve) =>
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
    );
  const port = await listen(0);
  const leave = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const url = new URL(db.url);
  url.port = String(port);
  const behind = openDatabase({ url: url.href, maxConnections: 2, minConnections: 0, log: silentLog });
  closing.push(async () => {
    await behind.close();
    await leave();
  });
  return { behind, leave, comeBack: () => listen(port) };
}

test('while the database is away nothing leaves; what was under way is accounted for when it is back', async () => {
  const { behind, leave, comeBack } = await proxied();
  const budget = worker('a', LIFTED, postgresRateLimitStore(behind));
  const underWay: Admission[] = [];
  for (let n = 0; n < 4; n++) underWay.push(await budget.admit({ route: INDUSTRY }));
  await leave();
  for (const admission of underWay) admission.settle(200);
  let signs = 0;
  let left = false;
  const waiting = budget.admit({ route: INDUSTRY, heartbeat: () => signs++ }).then((admission) => {
    left = true;
    return admission;
  });
  await eventually('two tries in vain', () => Promise.resolve(signs >= 2));
  expect(left).toBe(false);
  const stop = new AbortController();
  const cancelled = budget.admit({ route: INDUSTRY, signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(cancelled).rejects.toThrow('enough');

  await comeBack();
  (await waiting).settle(404);
  await budget.close();
  expect(await view('industry/ip')).toMatchObject({ used: 4 * 2 + 5, leased: 0 });
  expect(await view('ceiling')).toMatchObject({ used: 5, leased: 0 });
});

test('one whose sign of life fails is sent away alone, the others wait on', async () => {
  const real = postgresRateLimitStore(db);
  let away = true;
  const exchange: RateLimitStore['exchange'] = (asks) =>
    away ? Promise.reject(new Error('away')) : real.exchange(asks);
  const budget = worker('a', LIFTED, { exchange });
  const heartbeat = () => {
    throw new Error('nobody watches');
  };
  const other = budget.admit({ route: PRICES });
  await expect(budget.admit({ route: PRICES, heartbeat })).rejects.toThrow('nobody watches');
  away = false;
  (await other).settle(200);
});

test('one that is given up in its own sign of life leaves the line, and costs nothing', async () => {
  const real = postgresRateLimitStore(db);
  let away = true;
  const exchange: RateLimitStore['exchange'] = (asks) =>
    away ? Promise.reject(new Error('away')) : real.exchange(asks);
  const budget = worker('a', LIFTED, { exchange });
  const stop = new AbortController();
  const heartbeat = () => stop.abort(new Error('killed'));
  const other = budget.admit({ route: INDUSTRY });
  await expect(budget.admit({ route: INDUSTRY, heartbeat, signal: stop.signal })).rejects.toThrow('killed');
  away = false;
  (await other).settle(200);
  await budget.close();
  expect(await view('industry/ip')).toMatchObject({ used: 2, leased: 0 });
});

test('a ledger that answers nonsense is asked again, but not at once', async () => {
  const real = postgresRateLimitStore(db);
  const asked: number[] = [];
  const exchange: RateLimitStore['exchange'] = (asks) => {
    asked.push(Date.now());
    return asked.length === 1 ? Promise.resolve([]) : real.exchange(asks);
  };
  (await worker('a', LIFTED, { exchange }).admit({ route: PRICES })).settle(200);
  expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(900); // a second, less what timers are early
});

test('buckets that say nothing any more are forgotten, others stay', async () => {
  const long = new Date(Date.now() - 31 * 60_000);
  const old = { ...emptyBucket(), slots: [[long.getTime(), 5, 'a']] };
  const states = {
    idle: old,
    dead: { ...old, leases: { a: { tokens: 1, until: long.getTime() } } },
    strict: { ...old, strict: { tokens: 1, windowMs: 3_600_000 } },
    held: { ...old, held: { until: Date.now() + 600_000, why: 'x' } },
    fresh: old,
  };
  for (const [bucket, state] of Object.entries(states))
    await db.pool.query('INSERT INTO esi_buckets (bucket, state, updated_at) VALUES ($1, $2, $3)', [
      bucket,
      state,
      bucket === 'fresh' ? new Date() : long,
    ]);
  expect(await forgetIdleBuckets(db)).toBe(2);
  expect((await readBuckets(db)).map(({ bucket }) => bucket)).toEqual(['fresh', 'held', 'strict']);
  expect(await forgetIdleBuckets(db)).toBe(0);
});
