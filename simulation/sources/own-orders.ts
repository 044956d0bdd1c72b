import { between, pick, type Random } from '../../simulator/random.ts';
import type { Columns } from '../canonical.ts';
import { type Row, Source } from '../source.ts';
import { isoSeconds, SHARED, type WorldIds } from './ids.ts';

export const OWN_ORDER_COLUMNS: Columns = {
  order_id: 'text',
  type_id: 'text',
  location_id: 'text',
  region_id: 'text',
  volume_total: 'text',
  volume_remain: 'text',
  price: 'isk',
  duration: 'text',
  issued: 'date',
  range: 'text',
};

/** A character's orders: the open ones, and the ended ones that ESI lists. */
export interface OwnOrders {
  readonly open: Source;
  readonly history: Source;
  /** What had become of each order by a moment, by order id: `active`, `cancelled`, `expired` or `filled`. */
  statesAt(at: number): ReadonlyMap<string, string>;
}

/** The orders at a moment. Both routes show them, each as of its own Last-Modified. */
interface Moment {
  readonly at: number;
  readonly open: readonly Row[];
  /** Orders that were cancelled or expired; those that were filled are never listed. */
  readonly ended: readonly Row[];
  readonly states: ReadonlyMap<string, string>;
}

/** Milliseconds between two changes. */
const STEP = 900_000;

export function ownOrders(ids: WorldIds, random: Random, start: number): OwnOrders {
  const moments: Moment[] = [{ at: start - 20 * STEP, open: [], ended: [], states: new Map() }];
  const at = (time: number): Moment => {
    while (moments.at(-1)!.at + STEP <= time) moments.push(nextMoment(moments.at(-1)!, ids, random));
    return moments.findLast((moment) => moment.at <= time)!;
  };
  const common = {
    key: ['order_id'],
    random,
    spoil: (row: Row) => ({ ...row, price: -1 }),
    rewrite: (row: Row) => ({ ...row, is_buy_order: null, escrow: null, sound: 'loud' }),
  };
  const path = `/characters/${ids.character}/orders`;
  return {
    statesAt: (time) => at(time).states,
    open: new Source(
      {
        ...common,
        path,
        cacheSeconds: 1_200,
        pageSize: undefined,
        faults: ['odd', 'bad', 'repeated'],
        evolve: (time) => at(time).open,
      },
      start,
    ),
    history: new Source(
      {
        ...common,
        path: `${path}/history`,
        cacheSeconds: 3_600,
        pageSize: 10,
        faults: ['odd', 'bad', 'repeated'],
        evolve: (time) => at(time).ended,
      },
      start,
    ),
  };
}

/** What has become of the orders a step later. */
function nextMoment(before: Moment, ids: WorldIds, random: Random): Moment {
  const at = before.at + STEP;
  const states = new Map(before.states);
  const ended = [...before.ended];
  const open = before.open.flatMap((row) => {
    const chance = random();
    if (chance < 0.975) return [chance < 0.1 ? partlyFilled(row, random) : row];
    const state = pick(random, ['filled', 'filled', 'cancelled', 'expired']);
    states.set(String(row['order_id']), state);
    if (state !== 'filled') ended.unshift({ ...row, state });
    return [];
  });
  for (let left = between(random, 0, 2); left > 0; left--) {
    const row = make(ids.first + states.size, ids, random, at);
    states.set(String(row['order_id']), 'active');
    open.push(row);
  }
  return { at, open, ended, states };
}

function make(orderId: number, ids: WorldIds, random: Random, at: number): Row {
  const total = between(random, 2, 200);
  return {
    order_id: orderId,
    type_id: pick(random, SHARED.types),
    region_id: ids.region,
    location_id: pick(random, SHARED.stations),
    volume_total: total,
    volume_remain: total,
    price: between(random, 1, 1e6) / 100,
    duration: 90,
    issued: isoSeconds(at),
    range: 'region',
    is_corporation: false,
  };
}

function partlyFilled(row: Row, random: Random): Row {
  const remain = row['volume_remain'] as number;
  return remain < 2 ? row : { ...row, volume_remain: between(random, 1, remain - 1) };
}
