import { between, pick, type Random } from '../../simulator/random.ts';
import type { Columns } from '../canonical.ts';
import { type Row, Source } from '../source.ts';
import { isoSeconds, SHARED, type WorldIds } from './ids.ts';

export const JOURNAL_COLUMNS: Columns = {
  journal_id: 'text',
  date: 'date',
  ref_type: 'text',
  amount: 'isk',
  balance: 'isk',
  description: 'text',
};

export const TRANSACTION_COLUMNS: Columns = {
  transaction_id: 'text',
  date: 'date',
  type_id: 'text',
  location_id: 'text',
  quantity: 'text',
  unit_price: 'isk',
  is_buy: 'text',
  is_personal: 'text',
  client_id: 'text',
  journal_ref_id: 'text',
};

/** Rows that ESI still lists. Of more that happen between two readings some are lost. */
const LISTED = 60;

/** The wallet of a character. */
export interface Wallet {
  readonly balance: Source;
  readonly journal: Source;
  readonly transactions: Source;
}

/** A list of which the newest rows are served, newest first. `make` is called for what happens between two versions. */
function newestFirst(
  make: (at: number) => Row,
  options: {
    readonly random: Random;
    readonly path: string;
    readonly pageSize: number;
    readonly backwards?: string;
    readonly key: readonly string[];
    readonly spoil: (row: Row) => Row;
  },
  start: number,
): Source {
  const { random } = options;
  let rows: Row[] = [];
  const happen = (at: number, count: number) => {
    for (let left = count; left > 0; left--) rows = [make(at), ...rows].slice(0, LISTED);
  };
  happen(start - 7_200_000, between(random, 5, 30));
  return new Source(
    {
      ...options,
      cacheSeconds: 3_600,
      faults: ['odd', 'bad', 'repeated'],
      rewrite: (row) => ({ ...row, weather: 1, ...('reason' in row ? { reason: null } : {}) }),
      evolve: (at) => {
        happen(at - 1_000, random() < 0.1 ? between(random, LISTED, LISTED + 20) : between(random, 0, 12));
        return rows;
      },
    },
    start,
  );
}

export function wallet(ids: WorldIds, random: Random, start: number): Wallet {
  let next = ids.first;
  const nextId = () => next++;
  return {
    balance: balance(ids, random, start),
    journal: journal(ids, random, start, nextId),
    transactions: transactions(ids, random, start, nextId),
  };
}

function balance(ids: WorldIds, random: Random, start: number): Source {
  let cents = 1e6;
  return new Source(
    {
      path: `/characters/${ids.character}/wallet`,
      cacheSeconds: 120,
      pageSize: undefined,
      key: [],
      random,
      faults: [],
      spoil: (row) => row,
      rewrite: (row) => row,
      evolve: () => {
        if (random() < 0.6) cents += between(random, -1e5, 1e5);
        return [{ balance: cents / 100 }];
      },
    },
    start,
  );
}

function journal(ids: WorldIds, random: Random, start: number, nextId: () => number): Source {
  let cents = 1e9;
  const make = (at: number): Row => {
    const amount = between(random, -1e6, 1e6) || 1;
    cents += amount;
    return {
      id: nextId(),
      date: isoSeconds(at),
      ref_type: 'player_donation',
      amount: amount / 100,
      balance: cents / 100,
      description: 'given',
      context_id: 0,
    };
  };
  const path = `/characters/${ids.character}/wallet/journal`;
  const spoil = (row: Row) => ({ ...row, ref_type: '' });
  return newestFirst(make, { random, path, pageSize: pick(random, [10, 25]), key: ['id'], spoil }, start);
}

function transactions(ids: WorldIds, random: Random, start: number, nextId: () => number): Source {
  let other: Row | undefined;
  const make = (at: number): Row => {
    const row = other ?? deal(at);
    // Who trades with itself has both sides of the deal.
    other = other === undefined && random() < 0.1 ? { ...row, is_buy: row['is_buy'] === false } : undefined;
    return row;
  };
  const deal = (at: number): Row => ({
    transaction_id: nextId(),
    date: isoSeconds(at),
    type_id: pick(random, SHARED.types),
    location_id: pick(random, SHARED.stations),
    quantity: between(random, 1, 50),
    unit_price: between(random, 1, 1e5) / 100,
    is_buy: random() < 0.5,
    is_personal: true,
    client_id: ids.character + 1,
    journal_ref_id: nextId(),
  });
  return newestFirst(
    make,
    {
      random,
      path: `/characters/${ids.character}/wallet/transactions`,
      pageSize: pick(random, [8, 20]),
      backwards: 'transaction_id',
      key: ['transaction_id', 'is_buy'],
      spoil: (row) => ({ ...row, quantity: -5 }),
    },
    start,
  );
}
