import { between, type Random } from '../random.ts';
import type { RowSet } from '../row-set.ts';
import type { AssetRow } from './owner-rows.ts';

/** Rows; doubled whenever the table is full. */
const FIRST_SIZE = 64;

const TYPES = ['station', 'solar_system', 'item', 'other'] as const;

/** The bits above the location type. */
const SINGLETON = 4;

const COPY = 8;

/** The names of flags, shared by all tables. An owner uses some twenty of the 150. */
const flagNames: string[] = [];
const flagNumbers = new Map<string, number>();

function flagNumber(name: string): number {
  const known = flagNumbers.get(name);
  if (known !== undefined) return known;
  flagNames.push(name);
  flagNumbers.set(name, flagNames.length - 1);
  return flagNames.length - 1;
}

interface Columns {
  item: Float64Array;
  location: Float64Array;
  quantity: Float64Array;
  type: Int32Array;
  flag: Uint16Array;
  bits: Uint8Array;
}

function columnsOf(size: number): Columns {
  return {
    item: new Float64Array(size),
    location: new Float64Array(size),
    quantity: new Float64Array(size),
    type: new Int32Array(size),
    flag: new Uint16Array(size),
    bits: new Uint8Array(size),
  };
}

const NAMES = ['item', 'location', 'quantity', 'type', 'flag', 'bits'] as const;

/** Assets in columns: a million of them take 31 MB, where objects would take ten times that. */
export class AssetTable implements RowSet<AssetRow> {
  length = 0;
  #columns = columnsOf(FIRST_SIZE);

  push(row: AssetRow): void {
    if (this.length === this.#columns.item.length) this.#resize(this.length * 2);
    this.set(this.length++, row);
  }

  set(index: number, row: AssetRow): void {
    const { item, location, quantity, type, flag, bits } = this.#columns;
    item[index] = row.item_id;
    location[index] = row.location_id;
    quantity[index] = row.quantity;
    type[index] = row.type_id;
    flag[index] = flagNumber(row.location_flag);
    bits[index] =
      TYPES.indexOf(row.location_type) +
      (row.is_singleton ? SINGLETON : 0) +
      (row.is_blueprint_copy ? COPY : 0);
  }

  at(index: number): AssetRow {
    const { item, location, quantity, type, flag, bits } = this.#columns;
    const mask = bits[index] ?? 0;
    return {
      ...(mask & COPY ? { is_blueprint_copy: true } : {}),
      is_singleton: (mask & SINGLETON) > 0,
      item_id: item[index] as number,
      location_flag: flagNames[flag[index] as number] as string,
      location_id: location[index] as number,
      location_type: TYPES[mask & 3] as AssetRow['location_type'],
      quantity: quantity[index] as number,
      type_id: type[index] as number,
    };
  }

  slice(from: number, to: number): AssetRow[] {
    const end = Math.min(to, this.length);
    return Array.from({ length: Math.max(0, end - from) }, (_, index) => this.at(from + index));
  }

  same(other: unknown, from: number, to: number): boolean {
    if (!(other instanceof AssetTable)) return false;
    const [end, otherEnd] = [Math.min(to, this.length), Math.min(to, other.length)];
    if (end !== otherEnd) return false;
    return NAMES.every((name) => {
      const [mine, theirs] = [this.#columns[name], other.#columns[name]];
      for (let index = from; index < end; index++) if (mine[index] !== theirs[index]) return false;
      return true;
    });
  }

  /** The indices of items with these ids. It reads every row, which takes a hundredth of a second for a million. */
  find(ids: ReadonlySet<number>): number[] {
    const { item } = this.#columns;
    const found: number[] = [];
    for (let index = 0; index < this.length; index++) if (ids.has(item[index] as number)) found.push(index);
    return found;
  }

  /** The indices of items in these locations. */
  within(places: ReadonlySet<number>): number[] {
    const { location } = this.#columns;
    const found: number[] = [];
    for (let index = 0; index < this.length; index++)
      if (places.has(location[index] as number)) found.push(index);
    return found;
  }

  itemAt(index: number): number {
    return this.#columns.item[index] as number;
  }

  /** Removes a row and puts the last one in its place, because pages have no gaps. */
  removeAt(index: number): void {
    this.length--;
    for (const name of NAMES) this.#columns[name][index] = this.#columns[name][this.length] as number;
  }

  /** A copy without spare capacity. */
  copy(): AssetTable {
    const table = new AssetTable();
    const columns = columnsOf(Math.max(this.length, FIRST_SIZE));
    for (const name of NAMES) columns[name].set(this.#columns[name].subarray(0, this.length));
    table.#columns = columns;
    table.length = this.length;
    return table;
  }

  /** Puts the rows in a random order, because ESI lists assets in no known order. */
  shuffle(random: Random): void {
    for (let last = this.length - 1; last > 0; last--) this.#swap(last, between(random, 0, last));
  }

  #swap(one: number, other: number): void {
    for (const name of NAMES) {
      const column = this.#columns[name];
      const kept = column[one] as number;
      column[one] = column[other] as number;
      column[other] = kept;
    }
  }

  #resize(size: number): void {
    const columns = columnsOf(size);
    for (const name of NAMES) columns[name].set(this.#columns[name]);
    this.#columns = columns;
  }
}
