import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export interface VirtualClock extends Clock {
  /** Moves time to `time` and wakes the sleepers in order. */
  runUntil(time: number): Promise<void>;
}

/** Turns of the event loop after which no chain of promises and `setImmediate` in the tests has work left. */
const TURNS = 6;

/** A clock that moves only while every task sleeps: hours take seconds, and the order of events is always the same. */
export function virtualClock(start = Date.parse('2026-11-20T14:00:00Z')): VirtualClock {
  let now = start;
  let sleepers: Sleeper[] = [];
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const sleeper = { at: now + Math.max(0, ms), wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((s) => s !== sleeper);
          reject(signal.reason as Error);
        });
      }),
    async runUntil(time) {
      for (;;) {
        for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
        sleepers.sort((a, b) => a.at - b.at);
        const next = sleepers[0];
        if (!next || next.at > time) break;
        now = Math.max(now, next.at);
        const due = sleepers.filter((s) => s.at <= now);
        sleepers = sleepers.filter((s) => s.at > now);
        for (const { wake } of due) wake();
      }
      now = Math.max(now, time);
    },
  };
}
