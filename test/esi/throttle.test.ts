import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Throttle } from '../../src/esi/limits/throttle.ts';

/** The throttle and `limiter` read this clock. */
let time = 0;
beforeEach(() => {
  time = 1_000_000;
  jest.spyOn(performance, 'now').mockImplementation(() => time);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Takes requests as fast as possible for `ms`. Returns the times of the taken ones. */
function hammer(throttle: Throttle, ms: number): number[] {
  const sent: number[] = [];
  for (const end = time + ms; time < end;) {
    const wait = throttle.take();
    if (wait === 0) sent.push(time);
    else time += wait;
  }
  return sent;
}

/** The most requests in any window of this length. */
const most = (sent: readonly number[], window: number) =>
  Math.max(...sent.map((from) => sent.filter((t) => t >= from && t < from + window).length));

test.each([
  [300, 50],
  [60, 60],
  [7, 3],
])('a throttle of %d requests a minute and %d at once never exceeds either', (perMinute, burst) => {
  const throttle = new Throttle({ perMinute, burst });
  const sent = [...hammer(throttle, 150_000)];
  time += 600_000; // a long pause fills the bucket
  sent.push(...hammer(throttle, 150_000));
  expect(most(sent, 60_000)).toBe(perMinute);
  expect(most(sent, 1)).toBe(burst); // after the pause
  expect(sent.length).toBeGreaterThanOrEqual(perMinute * 4); // and uses most of it
});

test('a throttle starts without a burst, so that restarts do not add up', () => {
  let sent = 0;
  for (let restart = 0; restart < 20; restart++) {
    const throttle = new Throttle({ perMinute: 300, burst: 50 });
    sent += hammer(throttle, 1_000).length;
  }
  expect(sent).toBeLessThanOrEqual(100); // twenty seconds' worth
});
