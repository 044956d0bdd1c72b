import { between, createRandom, mixSeed, pick, word } from '../random.ts';
import type { Position } from '../esi-rows.ts';
import type { AssetMaker } from './asset-maker.ts';
import type { AssetTable } from './asset-table.ts';
import type { Catalog } from './catalog.ts';
import type { AssetRow } from './owner-rows.ts';

/** What ESI returns for items without a name. */
const UNNAMED = 'None';

const NOWHERE: Position = { x: 0, y: 0, z: 0 };

/** The live assets of one owner. */
export class Assets {
  readonly #maker: AssetMaker;
  readonly #catalog: Catalog;
  readonly #seed: number;
  readonly #names = new Map<number, string>();
  readonly table: AssetTable;

  constructor(maker: AssetMaker, catalog: Catalog, count: number, seed: number) {
    this.#maker = maker;
    this.#catalog = catalog;
    this.#seed = seed;
    this.table = maker.make(count);
  }

  add(partial: Partial<AssetRow> = {}): AssetRow {
    const row = this.#maker.one(partial);
    this.table.push(row);
    return row;
  }

  /** Removes an item with everything in it and returns the number of rows. */
  remove(itemId: number): number {
    this.#indexOf(itemId);
    return this.#removeAll(new Set([itemId]));
  }

  change(itemId: number, patch: Partial<AssetRow>): AssetRow {
    const index = this.#indexOf(itemId);
    const row = { ...this.table.at(index), ...patch };
    this.table.set(index, row);
    return row;
  }

  /** Changes a share of the rows: half get another quantity, a quarter moves, and the rest is replaced by others. */
  churn(share: number): void {
    const { random } = this.#maker;
    const replaced = new Set<number>();
    for (let left = Math.floor(this.table.length * share + random()); left > 0; left--) {
      const index = between(random, 0, this.table.length - 1);
      const row = this.table.at(index);
      const chance = random();
      if (chance < 0.5 && !row.is_singleton)
        this.table.set(index, { ...row, quantity: between(random, 1, row.quantity * 2) });
      else if (chance < 0.75) this.table.set(index, { ...row, ...this.#moved(row) });
      else replaced.add(row.item_id);
    }
    for (let left = this.#removeAll(replaced); left > 0; left--) this.add();
  }

  /** Removes a share of the rows at random, as when an answer lacks them. */
  lose(share: number): void {
    const { random } = this.#maker;
    for (let index = this.table.length - 1; index >= 0; index--)
      if (random() < share) this.table.removeAt(index);
  }

  rename(itemId: number, name: string): void {
    this.#indexOf(itemId);
    this.#names.set(itemId, name);
  }

  /** Undefined when one of the ids is no item of the owner that can have a name. */
  namesOf(ids: readonly number[]): { item_id: number; name: string }[] | undefined {
    const rows = this.#rowsOf(ids);
    const valid = rows?.every((row) => row.is_singleton && this.#catalog.isNameable(row.type_id));
    return valid ? ids.map((item_id) => ({ item_id, name: this.#nameOf(item_id) })) : undefined;
  }

  /** Undefined when one of the ids is no item of the owner. Only items in space have a position. */
  locationsOf(ids: readonly number[]): { item_id: number; position: Position }[] | undefined {
    return this.#rowsOf(ids)?.map(({ item_id, location_type }) => ({
      item_id,
      position: location_type === 'solar_system' ? this.#positionOf(item_id) : NOWHERE,
    }));
  }

  /** Only items in hangars move; what is fitted or packed stays. */
  #moved(row: AssetRow): Partial<AssetRow> {
    return /^(Hangar|CorpSAG\d)$/.test(row.location_flag) ? this.#maker.root() : {};
  }

  #rowsOf(ids: readonly number[]): AssetRow[] | undefined {
    const rows = new Map(
      this.table.find(new Set(ids)).map((index) => [this.table.itemAt(index), this.table.at(index)]),
    );
    return rows.size === new Set(ids).size ? ids.map((id) => rows.get(id) as AssetRow) : undefined;
  }

  /** Two of three items have a name, the same in every run. */
  #nameOf(itemId: number): string {
    const known = this.#names.get(itemId);
    if (known !== undefined) return known;
    const random = createRandom(mixSeed(this.#seed, itemId));
    if (random() < 0.33) return UNNAMED;
    return `${word(random)} ${pick(random, ['of the Line', 'II', 'Box', '★', 'spare'])}`;
  }

  #positionOf(itemId: number): Position {
    const random = createRandom(mixSeed(this.#seed, itemId));
    const metres = () => (random() - 0.5) * 4e12; // the extent of a solar system
    return { x: metres(), y: metres(), z: metres() };
  }

  #removeAll(first: ReadonlySet<number>): number {
    const removed = new Set(first);
    for (let layer = first; layer.size > 0;) {
      const inside = this.table.within(layer).map((index) => this.table.itemAt(index));
      layer = new Set(inside.filter((id) => !removed.has(id)));
      for (const id of layer) removed.add(id);
    }
    const found = this.table.find(removed).sort((a, b) => b - a); // from the end, so that no remaining index shifts
    for (const index of found) this.table.removeAt(index);
    return found.length;
  }

  #indexOf(itemId: number): number {
    const [index] = this.table.find(new Set([itemId]));
    if (index === undefined) throw new Error(`The owner has no item ${itemId}.`);
    return index;
  }
}
