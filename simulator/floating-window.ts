/** The tokens spent in a floating window, and when. */
export interface FloatingWindow {
  spent: { at: number; tokens: number }[];
  /** The index of the first entry inside the window: moving it is cheaper than shifting the array. */
  head: number;
  used: number;
}

export function emptyWindow(): FloatingWindow {
  return { spent: [], head: 0, used: 0 };
}

/** Entries before the window that may remain in the array: they are removed in one move. */
const MAX_PASSED_ENTRIES = 5_000;

export function spend(window: FloatingWindow, at: number, tokens: number): void {
  if (tokens <= 0) return;
  window.spent.push({ at, tokens });
  window.used += tokens;
}

/** Drops the entries that have left the window and returns the tokens still in it. */
export function tokensWithin(window: FloatingWindow, now: number, windowMs: number): number {
  let entry = window.spent[window.head];
  while (entry && entry.at + windowMs <= now) {
    window.used -= entry.tokens;
    entry = window.spent[++window.head];
  }
  if (window.head >= MAX_PASSED_ENTRIES) {
    window.spent.splice(0, window.head);
    window.head = 0;
  }
  return window.used;
}

/** When these windows together fall below `total`; undefined when nothing is spent. */
export function timeBelow(
  windows: readonly FloatingWindow[],
  total: number,
  windowMs: number,
): number | undefined {
  const entries = windows.flatMap(({ spent, head }) => spent.slice(head)).sort((a, b) => a.at - b.at);
  let used = entries.reduce((sum, { tokens }) => sum + tokens, 0);
  for (const { at, tokens } of entries) {
    used -= tokens;
    if (used < total) return at + windowMs;
  }
  return undefined;
}
