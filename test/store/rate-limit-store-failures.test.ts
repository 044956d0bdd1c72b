import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type BucketStore, SharedRateLimiter } from '../../src/esi/limits/rate-limiter.ts';
import type { Admission } from '../../src/esi/limits/admission.ts';
import type { StoredState } from '../../src/esi/limits/token-bucket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Route } from '../../src/esi/facts/routes.ts';
import { openDatabase } from '../../src/store/database.ts';
import { postgresBucketStore } from '../../src/store/limits/rate-limit-store.ts';
import { LIFTED, type SharedLimits, sharedLimits } from '../support/shared-limits.ts';
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

test('a reservation whose commit is unknown is made once', async () => {
  const real = limits.store;
  let isLost = true;
  const update: BucketStore['update'] = async (...args) => {
    const result = await real.update(...args);
    if (!isLost) return result;
    isLost = false;
    throw new Error('the connection broke after the commit');
  };
  const rateLimiter = worker('a', 10, { update });
  const admission = await rateLimiter.admit({ route: INDUSTRY });
  expect(await view('industry/ip')).toMatchObject({ leased: 5 });
  isLost = true;
  admission.complete(200);
  (await rateLimiter.admit({ route: INDUSTRY })).complete(200);
  await rateLimiter.close();
  expect(await view('industry/ip')).toMatchObject({ leased: 0, used: 4 });
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({ leased: 0, used: 2 });
});

test('a reservation that took longer than a request may wait is not used but made again', async () => {
  const real = limits.store;
  let now = Date.now();
  let transactions = 0;
  const clock = { now: () => now, sleep: (ms: number) => systemClock.sleep(ms) };
  const update: BucketStore['update'] = async (...args) => {
    const result = await real.update(...args);
    if (++transactions === 1) now += 6_000; // the process was suspended
    return result;
  };
  const options = { worker: 'a', throttle: { perMinute: 10 }, clock, log: silentLog };
  const rateLimiter = new SharedRateLimiter({ store: { update }, ...options });
  limits.onClose(() => rateLimiter.close());
  await rateLimiter.admit({ route: PRICES }).then((admission) => admission.complete(200));
  expect(transactions).toBeGreaterThanOrEqual(2);
  await rateLimiter.close();
  expect(await view('ESI_RATE_LIMIT')).toMatchObject({ used: 1, leased: 0 });
});

/** The database behind a port that can be closed. */
async function proxied() {
  const target = new URL(limits.db.url);
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
  const url = new URL(limits.db.url);
  url.port = String(port);
  const behind = openDatabase({ url: url.href, maxConnections: 2, minConnections: 0, log: silentLog });
  limits.onClose(async () => {
    await behind.close();
    await leave();
  });
  return { behind, leave, comeBack: () => listen(port) };
}

test('without the database no request is admitted, and requests in flight are accounted for afterwards', async () => {
  const { behind, leave, comeBack } = await proxied();
  const rateLimiter = worker('a', LIFTED, postgresBucketStore<StoredState>(behind));
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
  const real = limits.store;
  let away = true;
  const update: BucketStore['update'] = (...args) =>
    away ? Promise.reject(new Error('away')) : real.update(...args);
  const rateLimiter = worker('a', LIFTED, { update });
  const heartbeat = () => {
    throw new Error('nobody watches');
  };
  const other = rateLimiter.admit({ route: PRICES });
  await expect(rateLimiter.admit({ route: PRICES, heartbeat })).rejects.toThrow('nobody watches');
  away = false;
  (await other).complete(200);
});

test('a waiting request that is aborted in its heartbeat leaves the queue and costs nothing', async () => {
  const real = limits.store;
  let away = true;
  const update: BucketStore['update'] = (...args) =>
    away ? Promise.reject(new Error('away')) : real.update(...args);
  const rateLimiter = worker('a', LIFTED, { update });
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

test('a rate limit store that fails is tried again after a second', async () => {
  const real = limits.store;
  const triedAt: number[] = [];
  const update: BucketStore['update'] = (...args) => {
    triedAt.push(Date.now());
    return triedAt.length === 1 ? Promise.reject(new Error('broken')) : real.update(...args);
  };
  (await worker('a', LIFTED, { update }).admit({ route: PRICES })).complete(200);
  expect(triedAt[1]! - triedAt[0]!).toBeGreaterThanOrEqual(900); // a second, less what timers are early
});
