import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Throttle } from '../../src/esi/limits/throttle.ts';

/** Both the ceiling and `limiter` read this clock; it is ours here. */
let time = 0;
beforeEach(() => {
  time = 1_000_000;
  jest.spyOn(performance, 'now').mockImplementation(() => time);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Asks as fast as it is let, for so long. Returns when requests were let through. */
function hammer(throttle: Throttle, ms: number): number[] {
  const sent: number[] = [];
  for (const end = time + ms; time < end;) {
    const wait = throttle.take();
    if (wait === 0) sent.push(time);
    else time += wait;
  }
  return sent;
}

/** The most in any window of this length, wherever it is laid. */
const most = (sent: readonly number[], window: number) =>
  Math.max(...sent.map((from) => sent.filter((t) => t >= from && t < from + window).length));

test.each([
  [300, 50],
  [60, 60],
  [7, 3],
])('at %d a minute and %d at once no minute ever has more', (perMinute, burst) => {
  const throttle = new Throttle({ perMinute, burst });
  const sent = [...hammer(throttle, 150_000)];
  time += 600_000; // a long rest fills the bucket
  sent.push(...hammer(throttle, 150_000));
  expect(most(sent, 60_000)).toBe(perMinute);
  expect(most(sent, 1)).toBe(burst); // after the rest, all at once and no more
  expect(sent.length).toBeGreaterThanOrEqual(perMinute * 4); // nor is much given away
});

test('a start has no burst: restarts do not add up', () => {
  let sent = 0;
  for (let restart = 0; restart < 20; restart++) {
    const throttle = new Throttle({ perMinute: 300, burst: 50 });
    sent += hammer(throttle, 1_000).length;
  }
  expect(sent).toBeLessThanOrEqual(100); // twenty seconds' worth
});
