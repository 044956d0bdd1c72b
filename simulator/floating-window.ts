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
const TIDY = 5_000;

export function spend(ledger: FloatingWindow, at: number, tokens: number): void {
  if (tokens <= 0) return;
  ledger.spent.push({ at, tokens });
  ledger.used += tokens;
}

/** Drops the entries that have left the window and returns the tokens still in it. */
export function tokensWithin(ledger: FloatingWindow, now: number, windowMs: number): number {
  let entry = ledger.spent[ledger.head];
  while (entry && entry.at + windowMs <= now) {
    ledger.used -= entry.tokens;
    entry = ledger.spent[++ledger.head];
  }
  if (ledger.head >= TIDY) {
    ledger.spent.splice(0, ledger.head);
    ledger.head = 0;
  }
  return ledger.used;
}

/** When these windows together fall below `total`; undefined when nothing is spent. */
export function timeBelow(
  ledgers: readonly FloatingWindow[],
  total: number,
  windowMs: number,
): number | undefined {
  const entries = ledgers.flatMap(({ spent, head }) => spent.slice(head)).sort((a, b) => a.at - b.at);
  let used = entries.reduce((sum, { tokens }) => sum + tokens, 0);
  for (const { at, tokens } of entries) {
    used -= tokens;
    if (used < total) return at + windowMs;
  }
  return undefined;
}
