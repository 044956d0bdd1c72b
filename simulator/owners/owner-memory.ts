import type { Trade } from './record-trade.ts';

/** The changes of owners that a simulator remembers over a restart: repeated, they give the same assets and wallets. */
export interface OwnerMemory {
  /** Milliseconds. What owners did before the start depends on it. */
  readonly startedAt: number;
  /** In order, equal ones of an owner counted. */
  readonly churns: { readonly ownerId: number; readonly share: number; times: number }[];
  /** Trades that differ from each other. */
  readonly trades: Trade[];
  /** In order, because that gives trades their ids: the index of a trade, and when it happened (ms). */
  readonly happened: (readonly [trade: number, at: number])[];
}

export function addChurn({ churns }: OwnerMemory, ownerId: number, share: number): void {
  const last = churns.findLast((churn) => churn.ownerId === ownerId);
  if (last?.share === share) last.times++;
  else churns.push({ ownerId, share, times: 1 });
}

export function addTrade({ trades, happened }: OwnerMemory, trade: Trade, at: number): void {
  const key = JSON.stringify(trade);
  const known = trades.findIndex((one) => JSON.stringify(one) === key);
  happened.push([known < 0 ? trades.push(trade) - 1 : known, at]);
}
