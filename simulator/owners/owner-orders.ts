import { DAY_MS } from '../cache-times.ts';
import { basePrice, isoSeconds, roundPrice } from '../order-maker.ts';
import { between, createRandom, mixSeed, pick, type Random } from '../random.ts';
import type { Catalog } from './catalog.ts';
import type { OwnerOrderRow } from './owner-rows.ts';

/** Above all orders of the simulated markets. */
const FIRST_ORDER = 7_100_000_000;

const ORDERS_AN_OWNER = 1_000_000;

/** ESI lists the order history for 90 days. */
const HISTORY_MS = 90 * DAY_MS;

/** The number of orders in the history at the start, as a share of the open ones. */
const DONE_SHARE = 0.5;

/** The owner of orders. */
export interface OrderOwner {
  id: number;
  slot: number;
  isCorporation: boolean;
  /** The characters that issue a corporation's orders. */
  issuers: readonly number[];
}

/** The orders of one owner: open, cancelled and expired ones. */
export class Orders {
  readonly open: OwnerOrderRow[] = [];
  readonly done: { row: OwnerOrderRow; at: number }[] = [];
  readonly #random: Random;
  readonly #catalog: Catalog;
  readonly #owner: OrderOwner;
  #nextId: number;

  constructor(catalog: Catalog, owner: OrderOwner, count: number, seed: number, now: number) {
    this.#catalog = catalog;
    this.#owner = owner;
    this.#random = createRandom(mixSeed(mixSeed(seed, 21), owner.id));
    this.#nextId = FIRST_ORDER + owner.slot * ORDERS_AN_OWNER;
    const day = Math.floor(now / DAY_MS) * DAY_MS; // two worlds of one day are alike
    const ago = () => day - Math.floor(this.#random() * 80 * 86_400) * 1_000; // within the usual 90 days
    for (let left = count; left > 0; left--) this.open.push(this.#make(ago()));
    for (let left = Math.floor(count * DONE_SHARE); left > 0; left--) {
      const row = this.#make(ago());
      this.done.push({ row: { ...row, state: pick(this.#random, ['cancelled', 'expired']) }, at: ago() });
    }
  }

  place(now: number, partial: Partial<OwnerOrderRow> = {}): OwnerOrderRow {
    const row = this.#make(now, partial);
    this.open.push(row);
    return row;
  }

  /** Trades a part of an order. Default: half of what is left. */
  partFill(orderId: number, quantity?: number): OwnerOrderRow {
    const index = this.#indexOf(orderId);
    const row = this.open[index] as OwnerOrderRow;
    const traded = quantity ?? Math.floor(row.volume_remain / 2);
    const left = row.volume_remain - traded;
    if (left < 1) throw new Error(`Order ${orderId} would be filled: fillOrder does that.`);
    const share = left / row.volume_remain;
    const escrow = row.escrow === undefined ? {} : { escrow: Math.round(row.escrow * share * 100) / 100 };
    return (this.open[index] = { ...row, volume_remain: left, ...escrow });
  }

  /** Removes the order: neither route lists it. */
  fill(orderId: number): void {
    this.open.splice(this.#indexOf(orderId), 1);
  }

  /** Moves the order to the history. */
  end(orderId: number, state: 'cancelled' | 'expired', now: number): void {
    const [row] = this.open.splice(this.#indexOf(orderId), 1);
    this.done.push({ row: { ...(row as OwnerOrderRow), state }, at: now });
  }

  historyAt(now: number): OwnerOrderRow[] {
    return this.done.filter(({ at }) => at >= now - HISTORY_MS).map(({ row }) => row);
  }

  #make(issuedAt: number, partial: Partial<OwnerOrderRow> = {}): OwnerOrderRow {
    const random = this.#random;
    const { isCorporation, issuers, id } = this.#owner;
    const isBuy = partial.is_buy_order ?? random() < 0.4;
    const type_id = partial.type_id ?? pick(random, this.#catalog.marketTypes);
    const total = partial.volume_total ?? Math.ceil(10 ** (random() ** 2 * 4)); // most are small
    const remain = partial.volume_remain ?? between(random, 1, total);
    const price = partial.price ?? roundPrice(basePrice(type_id) * (0.8 + random() * 0.5));
    const location_id = partial.location_id ?? pick(random, this.#catalog.stations);
    return {
      duration: 90,
      ...(isBuy ? { escrow: Math.round(price * remain * 100) / 100, is_buy_order: true } : {}),
      ...(isCorporation ? {} : { is_corporation: false }),
      issued: isoSeconds(issuedAt),
      ...(isCorporation ? { issued_by: issuers.length > 0 ? pick(random, issuers) : id } : {}),
      location_id,
      ...(isBuy ? { min_volume: 1 } : {}),
      order_id: (this.#nextId += between(random, 1, 15)),
      price,
      range: isBuy ? pick(random, ['station', 'solarsystem', '1', '5', '40', 'region']) : 'region',
      region_id: this.#catalog.regionOf(location_id),
      type_id,
      volume_remain: remain,
      volume_total: total,
      ...(isCorporation ? { wallet_division: between(random, 1, 7) } : {}),
      ...partial,
    };
  }

  #indexOf(orderId: number): number {
    const index = this.open.findIndex((row) => row.order_id === orderId);
    if (index < 0) throw new Error(`The owner has no open order ${orderId}.`);
    return index;
  }
}
