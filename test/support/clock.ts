import type { Clock } from '../../src/lib/clock.ts';

export interface TestClock extends Clock {
  /** Moves time on; sleepers whose time has come wake up. */
  advance(ms: number): void;
  /** Sleeping does not wait: it moves time on by itself. */
  readonly slept: number[];
}

/** A clock that stands still until it is moved. `sleep` moves it, so that nothing waits in real time. */
export function testClock(start = Date.parse('2026-11-20T14:00:00Z')): TestClock {
  let now = start;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    advance(ms) {
      now += ms;
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
