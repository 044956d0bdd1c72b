import { between, pick, type Random } from '../../simulator/random.ts';
import type { Columns } from '../canonical.ts';
import { type Row, Source } from '../source.ts';
import { isoSeconds, SHARED, type WorldIds } from './ids.ts';

export const ORDER_COLUMNS: Columns = {
  order_id: 'text',
  type_id: 'text',
  location_id: 'text',
  system_id: 'text',
  volume_total: 'text',
  volume_remain: 'text',
  min_volume: 'text',
  price: 'text',
  is_buy_order: 'text',
  duration: 'text',
  issued: 'date',
  range: 'text',
};

/** Whether most of a book's orders end at once, as when a structure is destroyed. */
export interface Turmoil {
  isDue: boolean;
}

/** The orders of a region. */
export function marketBook(ids: WorldIds, random: Random, start: number, turmoil: Turmoil): Source {
  let next = ids.first;
  const make = (at: number): Row => {
    const total = between(random, 1, 500);
    return {
      order_id: next++,
      type_id: pick(random, SHARED.types),
      location_id: pick(random, [...SHARED.stations, ...SHARED.structures]),
      system_id: SHARED.system,
      volume_total: total,
      volume_remain: total,
      min_volume: pick(random, [1, 1, 1, 5]),
      price: between(random, 1, 1e6) / 100,
      is_buy_order: random() < 0.4,
      duration: 90,
      issued: isoSeconds(at),
      range: 'region',
    };
  };
  let rows: Row[] = Array.from({ length: between(random, 45, 130) }, () => make(start - 1_000));
  return new Source(
    {
      path: `/markets/${ids.region}/orders`,
      cacheSeconds: 300,
      pageSize: pick(random, [5, 12, 30, 1_000]),
      key: ['order_id'],
      random,
      faults: ['odd', 'bad', 'keyless', 'repeated', 'conflict', 'short', 'collapse', 'half'],
      spoil: (row) => ({ ...row, price: -1 }),
      rewrite: (row) => ({ ...row, colour: 'red', ...(row['min_volume'] === 1 ? { min_volume: null } : {}) }),
      isOfHalf: (row) => row['is_buy_order'] === false,
      evolve: (at) => {
        if (turmoil.isDue) rows = rows.filter(() => random() < 0.3);
        turmoil.isDue = false;
        rows = rows.flatMap((row) => changeOrder(row, random, at));
        // An order opens at the place of a closed one as well, so that rows move between pages.
        for (let left = between(random, 0, 4) + Math.max(0, 45 - rows.length); left > 0; left--)
          rows.splice(random() < 0.3 ? between(random, 0, rows.length) : rows.length, 0, make(at));
        return rows;
      },
    },
    start,
  );
}

/** What becomes of an order until the next version. */
function changeOrder(row: Row, random: Random, at: number): Row[] {
  const remain = row['volume_remain'] as number;
  const chance = random();
  if (chance < 0.02) return [];
  if (chance < 0.05 && remain > 1) return [{ ...row, volume_remain: between(random, 1, remain - 1) }];
  if (chance < 0.08) return [{ ...row, price: between(random, 1, 1e6) / 100, issued: isoSeconds(at) }];
  return [row];
}
