/** What was spent, and when: the entries of one floating window. */
export interface FloatingWindow {
  spent: { at: number; tokens: number }[];
  /** The first entry still inside the window: cheaper than shifting the list. */
  head: number;
  used: number;
}

/** A ledger with nothing in it. */
export function emptyWindow(): FloatingWindow {
  return { spent: [], head: 0, used: 0 };
}

const TIDY = 5_000; // entries that may stay behind the window: one move for many requests

/** Books an expense. */
export function spend(ledger: FloatingWindow, at: number, tokens: number): void {
  if (tokens <= 0) return;
  ledger.spent.push({ at, tokens });
  ledger.used += tokens;
}

/** Gives back what was spent a window ago, and tells what is still booked. */
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

/** When these ledgers together fall below `total`; undefined when nothing is booked. */
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
