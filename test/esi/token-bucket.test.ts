import { beforeEach, expect, test } from '@jest/globals';
import { viewBucket } from '../../src/esi/limits/bucket-view.ts';
import { type BucketLimit, type StoredState, TokenBucket } from '../../src/esi/limits/token-bucket.ts';

/** Ten tokens in three minutes: slots of a second. */
const WINDOW = 180_000;
const TEN: BucketLimit = { tokens: 10, windowMs: WINDOW };
const START = 1_000_000_000_000;
/** How long a reservation is dated ahead. */
const LIFETIME = 30_000;

let state: StoredState;
let now: number;
let limit: BucketLimit;
beforeEach(() => {
  state = {};
  now = START;
  limit = TEN;
});

/** Changes the bucket as a transaction at this moment does, from and to JSON. */
function change<T>(work: (bucket: TokenBucket) => T): T {
  const bucket = new TokenBucket('x', state, limit, now);
  const result = work(bucket);
  state = JSON.parse(JSON.stringify(bucket.state)) as StoredState;
  return result;
}

let lastId = 0;
/** Reserves tokens for a request. Returns its id. */
function reserve(tokens: number, worker = 'a'): string {
  const id = `${worker}#${++lastId}`;
  change((bucket) => bucket.reserve(id, tokens, 3));
  return id;
}
const complete = (id: string, cost: number, agoMs = 0) =>
  change((bucket) => bucket.complete(id, cost, agoMs));
const spend = (tokens: number, worker?: string) => complete(reserve(tokens, worker), tokens);
const shortage = (tokens: number, priority = 3) => change((bucket) => bucket.shortage(tokens, priority));
const free = () => change((bucket) => bucket.free);
const view = () => viewBucket({ bucket: 'x', state, now });

test('an unused bucket has tokens up to its limit', () => {
  expect(shortage(10)).toBeUndefined();
  expect(shortage(11)).toBeDefined();
});

test('a spent token is free again exactly one window later', () => {
  spend(4);
  now += 60_000;
  spend(6);
  expect(shortage(1)).toEqual({ bucket: 'x', retryMs: 120_000, reason: 'all 10 tokens in 180 s are used' });
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
  expect(shortage(1)).toMatchObject({ retryMs: 700 });
  now += 700;
  expect(free()).toBe(10);
});

test('a request counts at worst cost from its reservation, and at its cost from its end', () => {
  const id = reserve(5);
  expect(view()).toMatchObject({ used: 0, leased: 5, free: 5 });
  now += 10_000;
  complete(id, 2, 4_000);
  expect(view()).toMatchObject({ used: 2, leased: 0, free: 8, spenders: { a: 2 } });
  now = START + 6_000 + WINDOW - 1;
  expect(free()).toBe(8);
  now++;
  expect(free()).toBe(10);
});

test('a request that was not sent costs nothing', () => {
  complete(reserve(5), 0);
  expect(state.slots).toEqual([]);
});

test('an end that is reported twice counts once, and one of an unknown request not at all', () => {
  const id = reserve(5);
  for (let times = 0; times < 2; times++) complete(id, 2);
  complete('b#1', 5);
  expect(view()).toMatchObject({ used: 2, leased: 0 });
});

test('a request that is never reported counts one window longer than it can live', () => {
  reserve(6, 'dead');
  now = START + LIFETIME + WINDOW - 1;
  expect(view()).toMatchObject({ leased: 6, free: 4 });
  now++;
  expect(free()).toBe(10);
});

test('an end that is reported after the lifetime of a request counts from that end', () => {
  const id = reserve(6);
  now += LIFETIME + 60_000;
  complete(id, 6);
  now = START + LIFETIME + 60_000 + WINDOW - 1;
  expect(free()).toBe(4);
});

test('while requests are in flight the retry time is short, after their lifetime it is when they leave the window', () => {
  reserve(10);
  expect(shortage(1)).toMatchObject({ retryMs: 250, reason: expect.stringMatching(/in flight/) });
  now += LIFETIME;
  expect(shortage(1)).toMatchObject({ retryMs: WINDOW });
});

test('a bucket with a burst starts empty, is refilled, and never has more than the burst', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  const reason = 'requests are spread over the minute';
  expect(shortage(1)).toEqual({ bucket: 'x', retryMs: 1_000, reason });
  now += 2_000;
  spend(1);
  expect(shortage(1)).toBeUndefined();
  spend(1);
  expect(shortage(1)).toMatchObject({ retryMs: 1_000 });
  now += 30_000;
  for (let n = 0; n < 5; n++) {
    expect(shortage(1)).toBeUndefined();
    spend(1);
  }
  expect(shortage(1)).toEqual({ bucket: 'x', retryMs: 1_000, reason });
});

test('tokens of a request that was not sent are returned to the burst once', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  shortage(1);
  now += 5_000;
  const ids = [1, 2, 3, 4, 5].map(() => reserve(1));
  expect(shortage(1)).toBeDefined();
  for (let times = 0; times < 2; times++) complete(ids[0]!, 0);
  expect(shortage(1)).toBeUndefined();
  reserve(1);
  expect(shortage(1)).toMatchObject({ retryMs: 1_000 });
});

test('a burst does not exceed the tokens of the window', () => {
  limit = { tokens: 6, windowMs: WINDOW, burst: 6 };
  shortage(1);
  now += WINDOW;
  spend(6);
  now += WINDOW / 2; // three are refilled, and none has come back
  expect(shortage(1)).toMatchObject({ retryMs: WINDOW / 2, reason: expect.stringMatching(/are used/) });
});

test('less urgent requests wait while a more urgent one does, until it has its tokens', () => {
  spend(10);
  expect(shortage(1, 3)).toBeDefined();
  now += WINDOW - 1_000;
  shortage(1, 3);
  now += 1_000;
  expect(shortage(1, 4)).toMatchObject({ reason: 'more urgent requests are waiting' });
  expect(shortage(1, 3)).toBeUndefined();
  reserve(1);
  expect(shortage(1, 4)).toBeUndefined();
});

test('requests that no longer try make nobody wait', () => {
  spend(10);
  now += WINDOW - 1_000;
  expect(shortage(1, 1)).toBeDefined();
  now += 2_000;
  expect(shortage(1, 5)).toBeUndefined();
});

test('a waiting request of low priority makes no other wait', () => {
  spend(10);
  now += WINDOW - 1;
  expect(shortage(1, 5)).toBeDefined();
  now++;
  expect(shortage(1, 3)).toBeUndefined();
});

test('a block stops all requests until it ends, and a shorter block does not shorten it', () => {
  change((bucket) => bucket.block(5_000, 'too fast'));
  expect(shortage(1)).toEqual({ bucket: 'x', retryMs: 5_000, reason: 'too fast' });
  change((bucket) => bucket.block(1_000, 'shorter'));
  now += 4_000;
  expect(shortage(1)).toMatchObject({ retryMs: 1_000, reason: 'too fast' });
  expect(view()).toMatchObject({ blocked: 'too fast', free: 0 });
  now += 1_000;
  expect(shortage(10)).toBeUndefined();
});

test('a stricter limit from ESI is adopted at once and ends when ESI reports the shipped one', () => {
  spend(3);
  change((bucket) => bucket.adoptLimit({ tokens: 4, windowMs: WINDOW }));
  expect(free()).toBe(1); // without a word of it, too
  expect(view()).toMatchObject({ limit: 4 });
  change((bucket) => bucket.adoptLimit({ tokens: 10, windowMs: WINDOW }));
  expect(free()).toBe(7);
});

test('a limit with a longer window is stricter, and a laxer limit is not adopted', () => {
  change((bucket) => bucket.adoptLimit({ tokens: 10, windowMs: 4 * WINDOW }));
  spend(10);
  now += 4 * WINDOW - 1;
  expect(free()).toBe(0);
  change((bucket) => bucket.adoptLimit({ tokens: 1_000, windowMs: WINDOW }));
  expect(free()).toBe(10);
});

test('a smaller limit with a shorter window is adopted although more fits into our window', () => {
  change((bucket) => bucket.adoptLimit({ tokens: 4, windowMs: WINDOW / 3 })); // 12 in our window, and never more than 4 at once
  spend(4);
  expect(free()).toBe(0);
  now += WINDOW / 3 + 333; // a slot of this window
  expect(free()).toBe(4);
});

test('external usage follows from ESI’s own count and is replaced by its next count', () => {
  spend(2);
  change((bucket) => bucket.adoptRemaining(3));
  expect(view()).toMatchObject({ used: 2, externalUsage: 5, free: 3, spenders: { a: 2 } }); // 2 ours, 5 theirs
  change((bucket) => bucket.adoptRemaining(6));
  expect(free()).toBe(6);
});

test('external usage expires one window after ESI’s last count', () => {
  change((bucket) => bucket.adoptRemaining(0));
  now += 30_000;
  expect(shortage(1)).toMatchObject({
    retryMs: WINDOW - 30_000,
    reason: expect.stringMatching(/another client .* 10 of/),
  });
  now += WINDOW - 30_000;
  expect(free()).toBe(10);
});

test('requests in flight do not count as external usage', () => {
  reserve(4);
  reserve(2, 'b');
  spend(1);
  change((bucket) => bucket.adoptRemaining(5)); // ESI may have counted 1 + 4 + 2, or less
  expect(view().externalUsage).toBe(0);
  change((bucket) => bucket.adoptRemaining(1));
  expect(view().externalUsage).toBe(10 - 1 - 7);
});

test('what an earlier version spent, leased and knew of others counts after the upgrade', () => {
  state = {
    slots: [[now - 60_000, 3, 'old']],
    leases: { 'old:1': { tokens: 2, until: now + 15_000 } },
    externalUsage: 1,
    externalUsageAt: now - 10_000,
    burst: { tokens: 50, at: now },
  } as StoredState;
  expect(free()).toBe(4);
  expect(free()).toBe(4); // after it was stored anew
  expect(view()).toMatchObject({ used: 5, externalUsage: 1, spenders: { old: 3, 'old:1': 2 } });
  now += 15_000 + WINDOW;
  expect(free()).toBe(10);
});
