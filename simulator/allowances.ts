import type { Clock } from '../src/lib/clock.ts';
import { emptyWindow, spend, type FloatingWindow } from './floating-window.ts';

/** The size and the floating window of a token bucket. */
export interface Bucket {
  tokens: number;
  windowSeconds: number;
}

/** The old error limit. */
export const ERRORS_A_MINUTE = 100;

export const MINUTE = 60_000;

/** Every published window is 15 minutes. */
const WINDOW_SECONDS = 900;

/** Tokens per window of the groups that are simulated (compatibility date 2026-08-18). */
const TOKENS: Record<string, number> = {
  'market-order': 12_000,
  status: 600,
  meta: 150,
  industry: 150,
  'char-wallet': 150,
  'corp-wallet': 300,
  'char-asset': 1_800,
  'corp-asset': 1_800,
  'char-industry': 600,
  'corp-industry': 600,
  'char-detail': 600,
};

/** What ESI grants, and what other programs on the same address have spent of it. Both can be changed at any time. */
export interface Allowances {
  /** Counts the changes of buckets. */
  readonly version: number;
  /** The simulated rate groups. */
  groups(): string[];
  of(group: string): Bucket;
  set(group: string, change: Partial<Bucket>): void;
  spendElsewhere(group: string, tokens: number): void;
  /** What others have spent in a group. It counts against every caller. */
  elsewhere(group: string): FloatingWindow;
  /** The failures of others in the current minute. */
  errorsElsewhere(): number;
}

/** A window as headers and descriptions write it: `15m`, `1h`. */
export function formatWindow(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: not a positive whole number`);
  return value;
}

/** The published allowances. Others have spent nothing yet. */
export function createAllowances(clock: Clock): Allowances {
  const buckets = new Map<string, Bucket>(
    Object.entries(TOKENS).map(([group, tokens]) => [group, { tokens, windowSeconds: WINDOW_SECONDS }]),
  );
  const windows = new Map([...buckets.keys()].map((group) => [group, emptyWindow()]));
  let errors = { minute: -1, count: 0 };
  let version = 1;
  const minute = () => Math.floor(clock.now() / MINUTE);
  const errorsElsewhere = () => (errors.minute === minute() ? errors.count : 0);
  const known = <T>(map: ReadonlyMap<string, T>, group: string): T => {
    const found = map.get(group);
    if (!found) throw new Error(`No route of the simulator is in a bucket ${group}.`);
    return found;
  };
  return {
    get version() {
      return version;
    },
    groups: () => [...buckets.keys()],
    of: (group) => known(buckets, group),
    set: (group, change) => {
      const { tokens, windowSeconds } = { ...known(buckets, group), ...change };
      buckets.set(group, {
        tokens: positive('tokens', tokens),
        windowSeconds: positive('windowSeconds', windowSeconds),
      });
      version++;
    },
    spendElsewhere: (group, tokens) => {
      const count = positive('tokens', tokens);
      if (group === 'errors') errors = { minute: minute(), count: errorsElsewhere() + count };
      else spend(known(windows, group), clock.now(), count);
    },
    elsewhere: (group) => known(windows, group),
    errorsElsewhere,
  };
}
