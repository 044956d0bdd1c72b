import type { Clock } from '../kernel/clock.ts';
import {
  bookPage,
  currentOf,
  dropOrder,
  openBook,
  pageCount,
  turnBook,
  turnWhenDue,
  type Book,
  type Snapshot,
} from './book.ts';
import { createOrderMaker, isoSeconds } from './orders.ts';
import { changePrices, openPrices, turnPrices, type PriceList } from './prices.ts';
import { between, createRandom, mixSeed, type Random } from './random.ts';
import type { Kind, Order, Price, Universe, UniverseRows } from './shapes.ts';
import { createUniverse } from './universe.ts';

/** What a world is made of; see SimulatorOptions. */
export interface WorldOptions {
  seed: number;
  clock: Clock;
  regions: Record<number, number>;
  cacheSeconds: number;
  churn: number;
  universe: 'small' | 'full';
}

const FIRST_BUILD = 3_528_119; // a build number of 2026

/** The simulated game: tests change it, the server shows it. */
export class World {
  readonly universe: Universe;
  /** Grows with every change of static data. */
  staticVersion = 1;
  build = FIRST_BUILD;
  buildDate: string;
  readonly priceList: PriceList;
  readonly #options: WorldOptions;
  readonly #books = new Map<number, Book>();
  readonly #hidden = new Set<string>();
  readonly #forgotten = new Set<string>();
  readonly #priceRandom: Random;
  #churn: number;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#churn = options.churn;
    this.universe = createUniverse(options.universe, options.seed, Object.keys(options.regions).map(Number));
    this.#priceRandom = createRandom(mixSeed(options.seed, 3)); // 1 and 2 are the universe's
    this.priceList = openPrices(this.universe, this.#priceRandom, options.clock.now());
    this.buildDate = isoSeconds(options.clock.now());
  }

  get types() {
    return this.universe.types;
  }
  get groups() {
    return this.universe.groups;
  }
  get categories() {
    return this.universe.categories;
  }
  get marketGroups() {
    return this.universe.marketGroups;
  }
  get regions() {
    return this.universe.regions;
  }
  get constellations() {
    return this.universe.constellations;
  }
  get systems() {
    return this.universe.systems;
  }
  get stations() {
    return this.universe.stations;
  }
  get schematics() {
    return this.universe.schematics;
  }

  /** The region's market; made when it is first needed. Throws for a region that does not exist. */
  book(regionId: number): Book {
    const known = this.#books.get(regionId);
    if (known) return known;
    const index = [...this.regions.keys()].indexOf(regionId);
    if (index < 0) throw new Error(`The simulated universe has no region ${regionId}.`);
    const { seed, clock, cacheSeconds, regions } = this.#options;
    const maker = createOrderMaker(this.universe, regionId, index, seed);
    // Half of the cache time is always left after a start, so that short tests see no turn of its own.
    const phase = between(createRandom(mixSeed(seed, regionId + 1)), 0, Math.floor((cacheSeconds - 1) / 2));
    const book = openBook(maker, regions[regionId] ?? 0, clock.now(), phase * 1_000, this.#cacheMs);
    this.#books.set(regionId, book);
    return book;
  }

  get #cacheMs(): number {
    return this.#options.cacheSeconds * 1_000;
  }

  /** The live rows, which the next snapshot shows. Change them through the methods below. */
  orders(regionId: number): readonly Order[] {
    return this.book(regionId).live;
  }

  /** What is served now (or was until Expires, when nobody has asked since). */
  snapshot(regionId: number): Snapshot {
    return currentOf(this.book(regionId));
  }

  /** The last 50 snapshots, oldest first; fewer for regions of more than 80,000 orders. */
  snapshots(regionId: number): readonly Snapshot[] {
    return this.book(regionId).snapshots;
  }

  addOrder(regionId: number, partial: Partial<Order> = {}): Order {
    const book = this.book(regionId);
    const order = book.maker.make(this.#options.clock.now(), partial);
    book.live.push(order);
    return order;
  }

  removeOrder(regionId: number, orderId: number): void {
    if (!dropOrder(this.book(regionId), orderId))
      throw new Error(`Region ${regionId} has no order ${orderId}.`);
  }

  changeOrder(regionId: number, orderId: number, patch: Partial<Order>): Order {
    const { live } = this.book(regionId);
    const index = live.findIndex((row) => row.order_id === orderId);
    const row = live[index];
    if (!row) throw new Error(`Region ${regionId} has no order ${orderId}.`);
    return (live[index] = { ...row, ...patch });
  }

  /** A new snapshot now, before Expires if need be: of one region, or of all that have orders. */
  turn(regionId?: number): void {
    const ids = regionId === undefined ? Object.keys(this.#options.regions).map(Number) : [regionId];
    for (const id of ids) turnBook(this.book(id), this.#options.clock.now(), this.#churn, this.#cacheMs);
  }

  /** What a request does before it is answered. */
  turnDue(regionId: number): void {
    turnWhenDue(this.book(regionId), this.#options.clock.now(), this.#churn, this.#cacheMs);
  }

  turnPricesDue(): void {
    const now = this.#options.clock.now();
    if (now >= this.priceList.expires.getTime()) turnPrices(this.priceList, now);
  }

  /** The share of rows changed at each turn: of all regions, or of one (0 stops it there). */
  setChurn(share: number, regionId?: number): void {
    if (regionId === undefined) this.#churn = share;
    else this.book(regionId).churn = share;
  }

  /** Makes all pages of a region (or of all) now instead of at the first request. */
  warm(regionId?: number): void {
    const ids = regionId === undefined ? Object.keys(this.#options.regions).map(Number) : [regionId];
    for (const book of ids.map((id) => this.book(id))) {
      for (let page = pageCount(currentOf(book).rows); page > 0; page--) bookPage(book, page);
    }
  }

  /** The live prices, which the next turn shows. */
  prices(): readonly Price[] {
    return this.priceList.live;
  }

  changePrices(share: number): void {
    changePrices(this.priceList, share, this.#priceRandom);
  }

  /** New prices now, even before Expires. */
  turnPrices(): void {
    turnPrices(this.priceList, this.#options.clock.now());
  }

  /** The id leaves the SDE but ESI's detail route still knows it. */
  hide(kind: Kind, id: number): void {
    this.#hidden.add(`${kind}/${id}`);
    this.touch();
  }

  /** The id is unknown to the SDE and to ESI. */
  forget(kind: Kind, id: number): void {
    this.#forgotten.add(`${kind}/${id}`);
    this.touch();
  }

  /** Undoes `hide` and `forget`. */
  reveal(kind: Kind, id: number): void {
    this.#hidden.delete(`${kind}/${id}`);
    this.#forgotten.delete(`${kind}/${id}`);
    this.touch();
  }

  isHidden(kind: Kind, id: number): boolean {
    return this.#hidden.has(`${kind}/${id}`);
  }

  isForgotten(kind: Kind, id: number): boolean {
    return this.#forgotten.has(`${kind}/${id}`);
  }

  /** Adds or replaces a static row. */
  put<K extends Kind>(kind: K, id: number, row: UniverseRows[K]): void {
    (this.universe[kind] as Map<number, UniverseRows[K]>).set(id, row);
    this.touch();
  }

  /** Call it after changing a row of the maps in place: cached answers are made anew. */
  touch(): void {
    this.staticVersion++;
  }

  /** A new build of the SDE. */
  setBuild(build: number): void {
    this.build = build;
    this.buildDate = isoSeconds(this.#options.clock.now());
    this.touch();
  }
}
