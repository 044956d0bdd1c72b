import { beforeEach, expect, test } from '@jest/globals';
import { viewBucket } from '../../src/lib/token-bucket-view.ts';
import {
  type BucketLimit,
  type BucketState,
  emptyBucket,
  type BucketSync,
  type Grant,
  isIdle,
  LEASE_MS,
  effectiveLimit,
  syncBucket,
} from '../../src/lib/token-bucket.ts';

/** Ten tokens in three minutes: slots of a second. */
const WINDOW = 180_000;
const TEN: BucketLimit = { tokens: 10, windowMs: WINDOW };
const START = 1_000_000_000_000;

let state: BucketState;
let now: number;
let limit: BucketLimit;
beforeEach(() => {
  state = emptyBucket();
  now = START;
  limit = TEN;
});

const sync = (worker: string, request: Partial<BucketSync>): Grant =>
  syncBucket(state, limit, { worker, spent: [], inFlight: 0, want: 0, ...request }, now);
/** Spends tokens now. */
const spend = (tokens: number, worker = 'a') => sync(worker, { spent: [[0, tokens]] });
/** The tokens that a worker would get of a hundred. It returns all of them. */
const free = () => {
  const { tokens } = sync('observer', { want: 100 });
  sync('observer', {});
  return tokens;
};

test('an unused bucket grants the wanted tokens up to its limit', () => {
  expect(sync('a', { want: 4 })).toEqual({ tokens: 4, retryMs: 0, reason: '' });
  sync('a', {});
  expect(sync('a', { want: 11 })).toMatchObject({ tokens: 10, retryMs: expect.any(Number) });
});

test('a spent token is free again exactly one window later', () => {
  spend(4);
  now += 60_000;
  spend(6);
  expect(sync('a', { want: 1 })).toEqual({
    tokens: 0,
    retryMs: 120_000,
    reason: 'all 10 tokens in 180 s are used',
  });
  now = START + WINDOW - 1;
  expect(free()).toBe(0);
  now++;
  expect(free()).toBe(4);
  now = START + 60_000 + WINDOW;
  expect(free()).toBe(10);
});

test('tokens spent within a slot are free again one window after the end of the slot', () => {
  now = START + 300;
  spend(10);
  now = START + 300 + WINDOW;
  expect(sync('a', { want: 1 })).toMatchObject({ tokens: 0, retryMs: 700 });
  now += 700;
  expect(free()).toBe(10);
});

test('usage that is reported late counts from the time of the request', () => {
  now += 50_000;
  sync('a', { spent: [[50_000, 3], [20_000, 2]] }); // prettier-ignore
  now = START + WINDOW;
  expect(free()).toBe(8);
  now += 30_000;
  expect(free()).toBe(10);
});

test('leased tokens are granted to no other worker until they are returned', () => {
  expect(sync('a', { want: 7 }).tokens).toBe(7);
  expect(sync('b', { want: 7 }).tokens).toBe(3);
  expect(sync('c', { want: 1 }).tokens).toBe(0);
  sync('a', { spent: [[0, 2]], inFlight: 1 }); // four of seven unused
  expect(sync('c', { want: 9 }).tokens).toBe(4);
  expect(viewBucket('x', state, now)).toMatchObject({ used: 2, leased: 1 + 3 + 4, free: 0 });
});

test('fewer tokens than one request may cost are not granted', () => {
  spend(2);
  expect(sync('a', { want: 20, unit: 5 }).tokens).toBe(5);
  sync('a', { spent: [[0, 2]] });
  expect(sync('c', { want: 20, unit: 5 }).tokens).toBe(5);
  sync('c', { spent: [[0, 2]] });
  expect(sync('a', { want: 5, unit: 5 })).toMatchObject({ tokens: 0, retryMs: WINDOW }); // four are left
});

test('the lease of a dead worker counts as spent when it ends, and is free again one window later', () => {
  sync('dead', { want: 6 });
  now += LEASE_MS - 1;
  expect(free()).toBe(4);
  now += 1;
  expect(free()).toBe(4);
  expect(viewBucket('x', state, now)).toMatchObject({ used: 6, leased: 0, spenders: { dead: 6 } });
  now = START + LEASE_MS + WINDOW - 1;
  expect(free()).toBe(4);
  now += 1;
  expect(free()).toBe(10);
});

test('a worker that syncs retains its lease for requests in flight', () => {
  sync('a', { want: 6 });
  for (let i = 0; i < 10; i++) {
    now += LEASE_MS - 1;
    sync('a', { inFlight: 6 });
    expect(free()).toBe(4);
  }
  sync('a', { spent: [[0, 2]] });
  expect(free()).toBe(8);
});

test('a bucket with a burst starts empty, is refilled, and never grants more than the burst at once', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  expect(sync('a', { want: 3 })).toEqual({
    tokens: 0,
    retryMs: 1_000,
    reason: 'requests are spread over the minute',
  });
  now += 2_000;
  expect(sync('a', { want: 3 }).tokens).toBe(2);
  sync('a', { spent: [[0, 2]] });
  now += 30_000;
  expect(sync('a', { want: 20 }).tokens).toBe(5);
});

test('unused leased tokens are returned to the burst once', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  sync('a', {});
  now += 10_000;
  expect(sync('a', { want: 5 }).tokens).toBe(5);
  sync('a', { spent: [[0, 1]] });
  expect(sync('b', { want: 20 }).tokens).toBe(4);
  expect(sync('c', { want: 20 }).tokens).toBe(0);
});

test('a burst does not exceed the tokens of the window', () => {
  limit = { tokens: 6, windowMs: WINDOW, burst: 6 };
  sync('a', {});
  now += WINDOW;
  expect(sync('a', { want: 6 }).tokens).toBe(6);
  sync('a', { spent: [[0, 6]] });
  now += WINDOW / 2; // three have dripped, and none has come back
  expect(sync('a', { want: 6 })).toMatchObject({ tokens: 0, retryMs: WINDOW / 2 });
});

test('the retry time of an empty burst is that of its next token, however full the window is', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  sync('a', {});
  now += 10_000;
  expect(sync('a', { want: 5 }).tokens).toBe(5);
  sync('a', { spent: [[0, 5]] });
  expect(sync('a', { want: 100 })).toEqual({
    tokens: 0,
    retryMs: 1_000,
    reason: 'requests are spread over the minute',
  });
});

test('a block stops all workers until it ends, and a shorter block does not shorten it', () => {
  sync('a', { block: { forMs: 5_000, reason: 'too fast' } });
  expect(sync('b', { want: 1 })).toEqual({ tokens: 0, retryMs: 5_000, reason: 'too fast' });
  sync('b', { block: { forMs: 1_000, reason: 'shorter' } });
  now += 4_000;
  expect(sync('b', { want: 1 })).toEqual({ tokens: 0, retryMs: 1_000, reason: 'too fast' });
  expect(viewBucket('x', state, now)).toMatchObject({ blocked: 'too fast', free: 0 });
  now += 1_000;
  expect(free()).toBe(10);
});

test('a stricter limit from ESI is adopted at once and ends when ESI reports the shipped one', () => {
  spend(3);
  expect(sync('a', { want: 9, limit: { tokens: 4, windowMs: WINDOW } }).tokens).toBe(1);
  expect(effectiveLimit(state, TEN)).toEqual({ tokens: 4, windowMs: WINDOW });
  sync('a', {});
  expect(free()).toBe(1); // without a word of it, too
  sync('a', { limit: { tokens: 10, windowMs: WINDOW } });
  expect(free()).toBe(7);
});

test('a limit with a longer window is stricter, and a laxer limit is not adopted', () => {
  sync('a', { limit: { tokens: 10, windowMs: 4 * WINDOW } });
  spend(10);
  now += 4 * WINDOW - 1;
  expect(free()).toBe(0);
  sync('a', { limit: { tokens: 1_000, windowMs: WINDOW } });
  expect(free()).toBe(10);
});

test('a smaller limit with a shorter window is adopted although more fits into our window', () => {
  sync('a', { limit: { tokens: 4, windowMs: WINDOW / 3 } }); // 12 in our window, and never more than 4 at once
  expect(free()).toBe(4);
  spend(4);
  now += WINDOW / 3 + 333; // a slot of this window
  expect(free()).toBe(4);
});

test('a limit of zero tokens or a window of zero is ignored', () => {
  sync('a', { limit: { tokens: 0, windowMs: WINDOW } });
  sync('a', { limit: { tokens: 5, windowMs: 0 } });
  expect(free()).toBe(10);
});

test('external usage follows from ESI’s own count and is replaced by its next count', () => {
  spend(2);
  expect(sync('a', { remaining: 3, want: 10 }).tokens).toBe(3); // 2 ours, 5 theirs
  sync('a', {});
  expect(viewBucket('x', state, now)).toMatchObject({ used: 2, externalUsage: 5, free: 3 });
  sync('a', { remaining: 6 });
  expect(free()).toBe(6);
});

test('external usage expires one window after ESI’s last count', () => {
  sync('a', { remaining: 3 });
  now += WINDOW - 1;
  expect(free()).toBe(3);
  now += 1;
  expect(free()).toBe(10);
});

test('requests in flight do not count as external usage', () => {
  sync('a', { want: 4 });
  sync('b', { want: 2 });
  sync('a', { spent: [[0, 1]], inFlight: 3, remaining: 5 }); // ESI may have counted 1 + 3 + 2, or less
  expect(viewBucket('x', state, now).externalUsage).toBe(0);
  sync('a', { inFlight: 3, remaining: 2 });
  expect(viewBucket('x', state, now).externalUsage).toBe(10 - 2 - 1 - 3 - 2);
});

test('when external usage takes all tokens, the retry time is when it expires', () => {
  sync('a', { remaining: 0 });
  now += 30_000;
  const grant = sync('a', { want: 2 });
  expect(grant).toMatchObject({ tokens: 0, retryMs: WINDOW - 30_000 });
  expect(grant.reason).toMatch(/another client/);
});

test('when other workers have leased all tokens, the retry time is short', () => {
  sync('b', { want: 10 });
  now += 5_000;
  const grant = sync('a', { want: 2 });
  expect(grant.tokens).toBe(0);
  expect(grant).toMatchObject({ retryMs: 500, reason: expect.stringMatching(/in flight/) });
});

test('a bucket without usage, leases, block and stricter limit is idle', () => {
  expect(isIdle(state, now)).toBe(true);
  sync('a', { block: { forMs: 1_000, reason: 'x' } });
  expect([isIdle(state, now), isIdle(state, now + 1_000)]).toEqual([false, true]);
  expect(isIdle({ ...emptyBucket(), leases: { a: { tokens: 1, until: now } } }, now)).toBe(false);
  expect(isIdle({ ...emptyBucket(), slots: [[now, 1, 'a']] }, now)).toBe(false);
  expect(isIdle({ ...emptyBucket(), stricterLimit: { tokens: 1, windowMs: 1 } }, now)).toBe(false);
});
