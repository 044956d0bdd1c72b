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
  deleteIdleBuckets,
  postgresRateLimitStore,
  readBuckets,
} from '../../src/store/limits/rate-limit-store.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';
import { eventually } from '../support/test-temporal.ts';

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
  const throttle = { perMinute };
  const rateLimiter = new SharedRateLimiter({
    store,
    worker: name,
    throttle,
    clock: systemClock,
    log: silentLog,
  });
  closing.push(() => rateLimiter.close());
  return rateLimiter;
}

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

async function view(bucket: string): Promise<BucketView> {
  const row = (await readBuckets(db)).find((found) => found.bucket === bucket);
  return viewBucket(bucket, row?.state ?? emptyBucket(), row?.now ?? 0);
}

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

test('the lease of a killed worker counts as spent for one window after it ends', async () => {
  let killed = false;
  const real = postgresRateLimitStore(db);
  const never = new Promise<never>(() => undefined);
  const doomed = new SharedRateLimiter({
    store: { sync: (requests) => (killed ? never : real.sync(requests)) },
    worker: 'doomed',
    throttle: { perMinute: 10 },
    clock: systemClock,
    log: silentLog,
  });
  for (let n = 0; n < 7; n++) await doomed.admit({ route: PRICES });
  killed = true;
  const heir = worker('heir', 10);
  for (let n = 0; n < 3; n++) (await heir.admit({ route: PRICES })).complete(200);
  const fourth = heir.admit({ route: PRICES }).catch((error: unknown) => error); // the lease may yet be given back
  await eventually('all is taken', async () => (await view('ESI_RATE_LIMIT')).used === 3);
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({ leased: 7, free: 0 });
  // Its lease ends: fifteen seconds later.
  await db.pool.query(
    `UPDATE esi_buckets SET state = jsonb_set(state, '{leases,doomed,until}', to_jsonb($1::float8))`,
    [Date.now() - 1],
  );
  expect(await fourth).toMatchObject({ verdict: 'wait' });
  await heir.close();
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({
    used: 10,
    leased: 0,
    spenders: { doomed: 7, heir: 3 },
  });
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

test('without the database no request is admitted, and requests in flight are accounted for afterwards', async () => {
  const { behind, leave, comeBack } = await proxied();
  const rateLimiter = worker('a', LIFTED, postgresRateLimitStore(behind));
  const underWay: Admission[] = [];
  for (let n = 0; n < 4; n++) underWay.push(await rateLimiter.admit({ route: INDUSTRY }));
  await leave();
  for (const admission of underWay) admission.complete(200);
  let signs = 0;
  let left = false;
  const waiting = rateLimiter.admit({ route: INDUSTRY, heartbeat: () => signs++ }).then((admission) => {
    left = true;
    return admission;
  });
  await eventually('two tries in vain', () => Promise.resolve(signs >= 2));
  expect(left).toBe(false);
  const stop = new AbortController();
  const cancelled = rateLimiter.admit({ route: INDUSTRY, signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(cancelled).rejects.toThrow('enough');

  await comeBack();
  (await waiting).complete(404);
  await rateLimiter.close();
  expect(await view('industry/ip')).toMatchObject({ used: 4 * 2 + 5, leased: 0 });
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({ used: 5, leased: 0 });
});

test('a waiting request whose heartbeat throws is rejected and the others wait on', async () => {
  const real = postgresRateLimitStore(db);
  let away = true;
  const sync: RateLimitStore['sync'] = (requests) =>
    away ? Promise.reject(new Error('away')) : real.sync(requests);
  const rateLimiter = worker('a', LIFTED, { sync });
  const heartbeat = () => {
    throw new Error('nobody watches');
  };
  const other = rateLimiter.admit({ route: PRICES });
  await expect(rateLimiter.admit({ route: PRICES, heartbeat })).rejects.toThrow('nobody watches');
  away = false;
  (await other).complete(200);
});

test('a waiting request that is aborted in its heartbeat leaves the queue and costs nothing', async () => {
  const real = postgresRateLimitStore(db);
  let away = true;
  const sync: RateLimitStore['sync'] = (requests) =>
    away ? Promise.reject(new Error('away')) : real.sync(requests);
  const rateLimiter = worker('a', LIFTED, { sync });
  const stop = new AbortController();
  const heartbeat = () => stop.abort(new Error('killed'));
  const other = rateLimiter.admit({ route: INDUSTRY });
  await expect(rateLimiter.admit({ route: INDUSTRY, heartbeat, signal: stop.signal })).rejects.toThrow(
    'killed',
  );
  away = false;
  (await other).complete(200);
  await rateLimiter.close();
  expect(await view('industry/ip')).toMatchObject({ used: 2, leased: 0 });
});

test('a rate limit store with an invalid answer is tried again after a second', async () => {
  const real = postgresRateLimitStore(db);
  const syncedAt: number[] = [];
  const sync: RateLimitStore['sync'] = (requests) => {
    syncedAt.push(Date.now());
    return syncedAt.length === 1 ? Promise.resolve([]) : real.sync(requests);
  };
  (await worker('a', LIFTED, { sync }).admit({ route: PRICES })).complete(200);
  expect(syncedAt[1]! - syncedAt[0]!).toBeGreaterThanOrEqual(900); // a second, less what timers are early
});

test('idle buckets are deleted and others stay', async () => {
  const long = new Date(Date.now() - 31 * 60_000);
  const old = { ...emptyBucket(), slots: [[long.getTime(), 5, 'a']] };
  const states = {
    idle: old,
    dead: { ...old, leases: { a: { tokens: 1, until: long.getTime() } } },
    strict: { ...old, stricterLimit: { tokens: 1, windowMs: 3_600_000 } },
    blocked: { ...old, blocked: { until: Date.now() + 600_000, reason: 'x' } },
    fresh: old,
  };
  for (const [bucket, state] of Object.entries(states))
    await db.pool.query('INSERT INTO esi_buckets (bucket, state, updated_at) VALUES ($1, $2, $3)', [
      bucket,
      state,
      bucket === 'fresh' ? new Date() : long,
    ]);
  expect(await deleteIdleBuckets(db)).toBe(2);
  expect((await readBuckets(db)).map(({ bucket }) => bucket)).toEqual(['blocked', 'fresh', 'strict']);
  expect(await deleteIdleBuckets(db)).toBe(0);
});
