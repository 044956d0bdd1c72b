import { between, pick, type Random } from '../../simulator/random.ts';
import type { Columns } from '../canonical.ts';
import { type Row, Source } from '../source.ts';
import { SHARED, type WorldIds } from './ids.ts';
import type { Turmoil } from './market-book.ts';

export const ASSET_COLUMNS: Columns = {
  item_id: 'text',
  type_id: 'text',
  location_id: 'text',
  location_type: 'text',
  location_flag: 'text',
  quantity: 'text',
  is_singleton: 'text',
  is_blueprint_copy: 'text',
};

/** The name that its owner gave an assembled ship; every third one has none. */
export const shipName = (itemId: number): string | undefined =>
  itemId % 3 === 0 ? undefined : `Ship ${itemId}`;

/** The items of a character. */
export function assets(ids: WorldIds, random: Random, start: number, turmoil: Turmoil): Source {
  let next = ids.first;
  const make = (): Row => {
    const isShip = random() < 0.15;
    return {
      item_id: next++,
      type_id: pick(random, isShip ? SHARED.shipTypes : SHARED.types),
      location_id: pick(random, SHARED.stations),
      location_type: 'station',
      location_flag: 'Hangar',
      quantity: isShip ? 1 : between(random, 1, 1_000),
      is_singleton: isShip,
    };
  };
  let rows: Row[] = Array.from({ length: between(random, 40, 90) }, make);
  return new Source(
    {
      path: `/characters/${ids.character}/assets`,
      cacheSeconds: 3_600,
      pageSize: pick(random, [7, 25, 1_000]),
      key: ['item_id'],
      random,
      faults: ['odd', 'bad', 'keyless', 'repeated', 'conflict', 'short', 'collapse'],
      spoil: (row) => ({ ...row, location_flag: '' }),
      rewrite: (row) => ({ ...row, is_blueprint_copy: null, mood: {} }),
      evolve: () => {
        if (turmoil.isDue) rows = rows.filter(() => random() < 0.3);
        turmoil.isDue = false;
        rows = rows.flatMap((row) => changeItem(row, random));
        for (let left = between(random, 0, 3) + Math.max(0, 40 - rows.length); left > 0; left--)
          rows.splice(between(random, 0, rows.length), 0, make());
        return rows;
      },
    },
    start,
  );
}

function changeItem(row: Row, random: Random): Row[] {
  const chance = random();
  if (chance < 0.03) return [];
  if (chance < 0.06 && row['is_singleton'] === false)
    return [{ ...row, quantity: between(random, 1, 1_000) }];
  if (chance < 0.1) return [{ ...row, location_id: pick(random, SHARED.stations) }];
  return [row];
}
