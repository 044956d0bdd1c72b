import { beforeEach, expect, test } from '@jest/globals';
import { viewBucket } from '../../src/lib/token-bucket-view.ts';
import {
  type BucketLimit,
  type BucketState,
  emptyBucket,
  type BucketSync,
  exchange,
  type Grant,
  isIdle,
  LEASE_MS,
  effectiveLimit,
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

const tell = (worker: string, ask: Partial<BucketSync>): Grant =>
  exchange(state, limit, { worker, spent: [], inFlight: 0, want: 0, ...ask }, now);
/** Spends so much, just now. */
const spend = (tokens: number, worker = 'a') => tell(worker, { spent: [[0, tokens]] });
/** What a worker who only looks would get of a hundred; it gives all of it back. */
const free = () => {
  const { tokens } = tell('looker', { want: 100 });
  tell('looker', {});
  return tokens;
};

test('an empty bucket grants what is wanted, and never more than it holds', () => {
  expect(tell('a', { want: 4 })).toEqual({ tokens: 4, retryMs: 0, why: '' });
  tell('a', {});
  expect(tell('a', { want: 11 })).toMatchObject({ tokens: 10, retryMs: expect.any(Number) });
});

test('a token comes back a window after it was spent, and not a millisecond sooner', () => {
  spend(4);
  now += 60_000;
  spend(6);
  expect(tell('a', { want: 1 })).toEqual({
    tokens: 0,
    retryMs: 120_000,
    why: '10 tokens in 180 s are used up',
  });
  now = START + WINDOW - 1;
  expect(free()).toBe(0);
  now++;
  expect(free()).toBe(4);
  now = START + 60_000 + WINDOW;
  expect(free()).toBe(10);
});

test('spending within a slot comes back at the slot’s end: late, never early', () => {
  now = START + 300;
  spend(10);
  now = START + 300 + WINDOW;
  expect(tell('a', { want: 1 })).toMatchObject({ tokens: 0, retryMs: 700 });
  now += 700;
  expect(free()).toBe(10);
});

test('spending that is told late counts from when it was', () => {
  now += 50_000;
  tell('a', { spent: [[50_000, 3], [20_000, 2]] }); // prettier-ignore
  now = START + WINDOW;
  expect(free()).toBe(8);
  now += 30_000;
  expect(free()).toBe(10);
});

test('what one worker has leased no other gets; what it gives back they do', () => {
  expect(tell('a', { want: 7 }).tokens).toBe(7);
  expect(tell('b', { want: 7 }).tokens).toBe(3);
  expect(tell('c', { want: 1 }).tokens).toBe(0);
  tell('a', { spent: [[0, 2]], inFlight: 1 }); // four of seven unused
  expect(tell('c', { want: 9 }).tokens).toBe(4);
  expect(viewBucket('x', state, now)).toMatchObject({ used: 2, leased: 1 + 3 + 4, free: 0 });
});

test('less than a request may cost is granted to nobody: it would only be kept from others', () => {
  spend(2);
  expect(tell('a', { want: 20, unit: 5 }).tokens).toBe(5);
  tell('a', { spent: [[0, 2]] });
  expect(tell('c', { want: 20, unit: 5 }).tokens).toBe(5);
  tell('c', { spent: [[0, 2]] });
  expect(tell('a', { want: 5, unit: 5 })).toMatchObject({ tokens: 0, retryMs: WINDOW }); // four are left
});

test('the lease of a dead worker is taken as spent when it ends, and comes back a window later', () => {
  tell('dead', { want: 6 });
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

test('a worker that is heard of keeps its lease for requests under way', () => {
  tell('a', { want: 6 });
  for (let beat = 0; beat < 10; beat++) {
    now += LEASE_MS - 1;
    tell('a', { inFlight: 6 });
    expect(free()).toBe(4);
  }
  tell('a', { spent: [[0, 2]] });
  expect(free()).toBe(8);
});

test('with a burst, a bucket starts empty, drips, and never gives more than the burst at once', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  expect(tell('a', { want: 3 })).toEqual({ tokens: 0, retryMs: 1_000, why: 'the ceiling spreads requests' });
  now += 2_000;
  expect(tell('a', { want: 3 }).tokens).toBe(2);
  tell('a', { spent: [[0, 2]] });
  now += 30_000;
  expect(tell('a', { want: 20 }).tokens).toBe(5);
});

test('a burst takes back what a lease returns unused, once', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  tell('a', {});
  now += 10_000;
  expect(tell('a', { want: 5 }).tokens).toBe(5);
  tell('a', { spent: [[0, 1]] });
  expect(tell('b', { want: 20 }).tokens).toBe(4);
  expect(tell('c', { want: 20 }).tokens).toBe(0);
});

test('a burst does not help beyond the window’s tokens', () => {
  limit = { tokens: 6, windowMs: WINDOW, burst: 6 };
  tell('a', {});
  now += WINDOW;
  expect(tell('a', { want: 6 }).tokens).toBe(6);
  tell('a', { spent: [[0, 6]] });
  now += WINDOW / 2; // three have dripped, and none has come back
  expect(tell('a', { want: 6 })).toMatchObject({ tokens: 0, retryMs: WINDOW / 2 });
});

test('where the burst is what holds back, the next drop is told, however full the window is', () => {
  limit = { tokens: 60, windowMs: 60_000, burst: 5 };
  tell('a', {});
  now += 10_000;
  expect(tell('a', { want: 5 }).tokens).toBe(5);
  tell('a', { spent: [[0, 5]] });
  expect(tell('a', { want: 100 })).toEqual({
    tokens: 0,
    retryMs: 1_000,
    why: 'the ceiling spreads requests',
  });
});

test('a hold stops everybody until it ends, with its reason; a shorter one does not shorten it', () => {
  tell('a', { hold: { forMs: 5_000, why: 'too fast' } });
  expect(tell('b', { want: 1 })).toEqual({ tokens: 0, retryMs: 5_000, why: 'too fast' });
  tell('b', { hold: { forMs: 1_000, why: 'shorter' } });
  now += 4_000;
  expect(tell('b', { want: 1 })).toEqual({ tokens: 0, retryMs: 1_000, why: 'too fast' });
  expect(viewBucket('x', state, now)).toMatchObject({ held: 'too fast', free: 0 });
  now += 1_000;
  expect(free()).toBe(10);
});

test('a stricter limit of ESI is adopted at once, and lifted when ESI says so', () => {
  spend(3);
  expect(tell('a', { want: 9, limit: { tokens: 4, windowMs: WINDOW } }).tokens).toBe(1);
  expect(effectiveLimit(state, TEN)).toEqual({ tokens: 4, windowMs: WINDOW });
  tell('a', {});
  expect(free()).toBe(1); // without a word of it, too
  tell('a', { limit: { tokens: 10, windowMs: WINDOW } });
  expect(free()).toBe(7);
});

test('a limit is stricter by a longer window, too; a laxer one is not adopted', () => {
  tell('a', { limit: { tokens: 10, windowMs: 4 * WINDOW } });
  spend(10);
  now += 4 * WINDOW - 1;
  expect(free()).toBe(0);
  tell('a', { limit: { tokens: 1_000, windowMs: WINDOW } });
  expect(free()).toBe(10);
});

test('a smaller bucket with a shorter window is kept, though a window of ours would hold more', () => {
  tell('a', { limit: { tokens: 4, windowMs: WINDOW / 3 } }); // 12 in our window, and never more than 4 at once
  expect(free()).toBe(4);
  spend(4);
  now += WINDOW / 3 + 333; // a slot of this window
  expect(free()).toBe(4);
});

test('a limit of nothing is not believed', () => {
  tell('a', { limit: { tokens: 0, windowMs: WINDOW } });
  tell('a', { limit: { tokens: 5, windowMs: 0 } });
  expect(free()).toBe(10);
});

test('what others on the address spend appears by ESI’s own count, and is replaced by its next word', () => {
  spend(2);
  expect(tell('a', { remaining: 3, want: 10 }).tokens).toBe(3); // 2 ours, 5 theirs
  tell('a', {});
  expect(viewBucket('x', state, now)).toMatchObject({ used: 2, foreign: 5, free: 3 });
  tell('a', { remaining: 6 });
  expect(free()).toBe(6);
});

test('foreign spending is gone a window after it was last heard of', () => {
  tell('a', { remaining: 3 });
  now += WINDOW - 1;
  expect(free()).toBe(3);
  now += 1;
  expect(free()).toBe(10);
});

test('requests under way are not taken for foreign spending', () => {
  tell('a', { want: 4 });
  tell('b', { want: 2 });
  tell('a', { spent: [[0, 1]], inFlight: 3, remaining: 5 }); // ESI may have counted 1 + 3 + 2, or less
  expect(viewBucket('x', state, now).foreign).toBe(0);
  tell('a', { inFlight: 3, remaining: 2 });
  expect(viewBucket('x', state, now).foreign).toBe(10 - 2 - 1 - 3 - 2);
});

test('when others have used everything, the time until it can be theirs no more is told', () => {
  tell('a', { remaining: 0 });
  now += 30_000;
  const grant = tell('a', { want: 2 });
  expect(grant).toMatchObject({ tokens: 0, retryMs: WINDOW - 30_000 });
  expect(grant.why).toMatch(/somebody else/);
});

test('when other workers have leased everything, it is looked again soon: they give back what they do not use', () => {
  tell('b', { want: 10 });
  now += 5_000;
  const grant = tell('a', { want: 2 });
  expect(grant.tokens).toBe(0);
  expect(grant).toMatchObject({ retryMs: 500, why: expect.stringMatching(/under way/) });
});

test('a bucket is idle when it says nothing any more', () => {
  expect(isIdle(state, now)).toBe(true);
  tell('a', { hold: { forMs: 1_000, why: 'x' } });
  expect([isIdle(state, now), isIdle(state, now + 1_000)]).toEqual([false, true]);
  expect(isIdle({ ...emptyBucket(), leases: { a: { tokens: 1, until: now } } }, now)).toBe(false);
  expect(isIdle({ ...emptyBucket(), slots: [[now, 1, 'a']] }, now)).toBe(false);
  expect(isIdle({ ...emptyBucket(), strict: { tokens: 1, windowMs: 1 } }, now)).toBe(false);
});
