import { isoSeconds, roundPrice, type OrderMaker } from './order-maker.ts';
import { between, weighted, type Random } from './random.ts';
import type { Order } from './esi-rows.ts';

/** The kinds of changes, in per cent. */
const MIX = [
  ['volume', 50],
  ['price', 17],
  ['closed', 17],
  ['opened', 16],
] as const;

/** A very small region may have no order with volume left to fill. */
const TRIES = 20;

function fill(rows: Order[], random: Random): void {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const index = between(random, 0, rows.length - 1);
    const row = rows[index];
    if (!row || row.volume_remain < 2) continue; // the remaining volume only falls and is never 0
    rows[index] = {
      ...row,
      volume_remain: between(random, Math.ceil(row.volume_remain / 2), row.volume_remain - 1),
    };
    return;
  }
}

/** Changes a price. Every such change has a new `issued`. */
function reprice(rows: Order[], random: Random, now: number): void {
  const index = between(random, 0, rows.length - 1);
  const row = rows[index];
  if (!row) return;
  const wanted = roundPrice(row.price * (0.95 + random() * 0.1)); // within 5 %
  const price = wanted === row.price ? roundPrice(row.price + 0.01) : wanted;
  rows[index] = { ...row, price, issued: isoSeconds(now) };
}

/**
 * Changes a share of the rows in place. An order keeps its position. A new one takes the position of a closed one or is
 * appended; a position that stays empty is filled with the last row, because pages have no gaps.
 */
export function applyChurn(rows: Order[], maker: OrderMaker, share: number, now: number): void {
  const { random } = maker;
  const changes = Math.floor(rows.length * share + random()); // the fraction decides by chance
  let closed = 0;
  let opened = 0;
  for (let change = 0; change < changes; change++) {
    const kind = weighted(random, MIX);
    if (kind === 'volume') fill(rows, random);
    else if (kind === 'price') reprice(rows, random, now);
    else if (kind === 'closed') closed++;
    else opened++;
  }
  const holes = new Set<number>();
  while (holes.size < Math.min(closed, rows.length)) holes.add(between(random, 0, rows.length - 1));
  for (const hole of [...holes].sort((a, b) => a - b)) {
    if (opened === 0) break;
    rows[hole] = maker.make(now);
    holes.delete(hole);
    opened--;
  }
  for (; opened > 0; opened--) rows.push(maker.make(now));
  for (const hole of [...holes].sort((a, b) => b - a)) removeAt(rows, hole); // from the end, so that no index shifts
}

export function removeAt(rows: Order[], index: number): void {
  const last = rows.pop();
  if (last && index < rows.length) rows[index] = last;
}
