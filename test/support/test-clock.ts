import type { Clock } from '../../src/lib/clock.ts';

export interface TestClock extends Clock {
  /** Moves the clock forward. */
  advance(ms: number): void;
  /** The durations that were slept. Sleeping returns at once and moves the clock forward. */
  readonly slept: number[];
}

/** A clock that moves only by `advance` and `sleep`, so that nothing waits in real time. */
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
