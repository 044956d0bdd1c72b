import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export interface VirtualClock extends Clock {
  /** Lets everybody sleep and wake in order until the time has come. */
  runUntil(time: number): Promise<void>;
}

/** Enough turns of the event loop for chains of promises and `setImmediate` to come to rest. */
const TURNS = 6;

/** Time that passes only when everybody sleeps: hours of it take seconds, and always in the same order. */
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
