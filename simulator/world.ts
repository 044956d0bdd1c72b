import type { Clock } from '../src/lib/clock.ts';
import { createAllowances, type Allowances, type Bucket } from './allowances.ts';
import {
  bookPage,
  currentSnapshot,
  removeLiveOrder,
  createOrderBook,
  pageCount,
  takeBookSnapshot,
  takeDueBookSnapshot,
  type OrderBook,
  type Snapshot,
} from './order-book.ts';
import { createHistories, isMineral, type Histories } from './market-history.ts';
import { createIndustry, type Industry } from './industry.ts';
import { createOrderMaker } from './order-maker.ts';
import { changePrices, openPrices, takePriceSnapshot, type PriceList } from './price-list.ts';
import { between, createRandom, mixSeed, type Random } from './random.ts';
import type { HistoryRow, Order, Price } from './esi-rows.ts';
import { StaticData } from './static-data.ts';
import { createUniverse } from './create-universe.ts';

/** The options of a world, see SimulatorOptions. */
export interface WorldOptions {
  seed: number;
  clock: Clock;
  regions: Record<number, number>;
  cacheSeconds: number;
  churn: number;
  universe: 'small' | 'full';
  /** The longest cache time for data of owners. */
  ownerCacheSeconds: number;
}

/** Every 61st id is untradable: one or two of a hundred, spread over all groups. */
const UNTRADABLE = 61;

/** The simulated game. Tests change it, the server serves it. */
export class World extends StaticData {
  readonly priceList: PriceList;
  readonly histories: Histories;
  readonly industry: Industry;
  readonly allowances: Allowances;
  /** Published types in a market group that history refuses nevertheless. A test may add some. */
  readonly untradable: Set<number>;
  readonly #options: WorldOptions;
  readonly #books = new Map<number, OrderBook>();
  readonly #priceRandom: Random;
  #churn: number;

  constructor(options: WorldOptions) {
    const { seed, clock } = options;
    super(createUniverse(options.universe, seed, Object.keys(options.regions).map(Number)), clock);
    this.#options = options;
    this.#churn = options.churn;
    this.#priceRandom = createRandom(mixSeed(seed, 3)); // 1 and 2 are the universe's
    this.priceList = openPrices(this.universe, this.#priceRandom, clock.now());
    this.histories = createHistories(clock, seed);
    this.industry = createIndustry(this.universe, seed, clock);
    this.allowances = createAllowances(clock);
    const unlisted = [...this.types.keys()].filter((id) => id % UNTRADABLE === 0 && !isMineral(id));
    this.untradable = new Set(unlisted);
  }

  get seed(): number {
    return this.#options.seed;
  }
  get cacheSeconds(): number {
    return this.#options.cacheSeconds;
  }
  get ownerCacheSeconds(): number {
    return this.#options.ownerCacheSeconds;
  }

  /** The region's market, made when it is first needed. Throws for a region that does not exist. */
  book(regionId: number): OrderBook {
    const known = this.#books.get(regionId);
    if (known) return known;
    const index = [...this.regions.keys()].indexOf(regionId);
    if (index < 0) throw new Error(`The simulated universe has no region ${regionId}.`);
    const { seed, clock, cacheSeconds, regions } = this.#options;
    const maker = createOrderMaker(this.universe, regionId, index, seed);
    // Half of the cache time is always left after a start, so that no snapshot expires in a short test.
    const phase = between(createRandom(mixSeed(seed, regionId + 1)), 0, Math.floor((cacheSeconds - 1) / 2));
    const book = createOrderBook(maker, regions[regionId] ?? 0, clock.now(), phase * 1_000, this.#cacheMs);
    this.#books.set(regionId, book);
    return book;
  }

  get #cacheMs(): number {
    return this.#options.cacheSeconds * 1_000;
  }

  /** The live rows, which the next snapshot shows. They are changed by the methods below. */
  orders(regionId: number): readonly Order[] {
    return this.book(regionId).live;
  }

  /** The snapshot that is served now, or was until Expires if nothing has been requested since. */
  snapshot(regionId: number): Snapshot {
    return currentSnapshot(this.book(regionId));
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
    if (!removeLiveOrder(this.book(regionId), orderId))
      throw new Error(`Region ${regionId} has no order ${orderId}.`);
  }

  changeOrder(regionId: number, orderId: number, patch: Partial<Order>): Order {
    const { live } = this.book(regionId);
    const index = live.findIndex((row) => row.order_id === orderId);
    const row = live[index];
    if (!row) throw new Error(`Region ${regionId} has no order ${orderId}.`);
    return (live[index] = { ...row, ...patch });
  }

  /** Takes a new snapshot now, even before Expires: of one region, or of all that have orders. */
  takeSnapshot(regionId?: number): void {
    const ids = regionId === undefined ? Object.keys(this.#options.regions).map(Number) : [regionId];
    for (const id of ids)
      takeBookSnapshot(this.book(id), this.#options.clock.now(), this.#churn, this.#cacheMs);
  }

  /** Takes a new snapshot if the current one has expired, before a request is answered. */
  takeDueSnapshot(regionId: number): void {
    takeDueBookSnapshot(this.book(regionId), this.#options.clock.now(), this.#churn, this.#cacheMs);
  }

  takeDuePriceSnapshot(): void {
    const now = this.#options.clock.now();
    if (now >= this.priceList.expires.getTime()) takePriceSnapshot(this.priceList, now);
  }

  /** Sets the share of rows that changes in each snapshot: of all regions, or of one (0 stops the churn there). */
  setChurn(share: number, regionId?: number): void {
    if (regionId === undefined) this.#churn = share;
    else this.book(regionId).churn = share;
  }

  /** Packs all pages of a region, or of all regions, now instead of at the first request. */
  warm(regionId?: number): void {
    const ids = regionId === undefined ? Object.keys(this.#options.regions).map(Number) : [regionId];
    for (const book of ids.map((id) => this.book(id))) {
      for (let page = pageCount(currentSnapshot(book).rows); page > 0; page--) bookPage(book, page);
    }
  }

  /** The live prices, which the next snapshot shows. */
  prices(): readonly Price[] {
    return this.priceList.live;
  }

  changePrices(share: number): void {
    changePrices(this.priceList, share, this.#priceRandom);
  }

  /** Takes a new snapshot of the prices now, even before Expires. */
  takePriceSnapshot(): void {
    takePriceSnapshot(this.priceList, this.#options.clock.now());
  }

  /** Known space, the PLEX market, and every region with orders from the options. */
  hasMarket(regionId: number): boolean {
    return [10, 19].includes(Math.floor(regionId / 1e6)) || regionId in this.#options.regions;
  }

  /** The days that are served now, oldest first. */
  history(regionId: number, typeId: number): HistoryRow[] {
    return this.histories.rows(regionId, typeId);
  }

  /** Corrects a day that is served (for example `2026-08-01`), or adds one that had no trade. It is served at once. */
  correctHistory(regionId: number, typeId: number, date: string, patch: Partial<HistoryRow>): HistoryRow {
    return this.histories.correct(regionId, typeId, date, patch);
  }

  /** Makes new cost indices now, even before Expires. */
  takeIndustrySnapshot(): void {
    this.industry.takeSnapshot();
  }

  /** Changes the size or window of a bucket; headers, refusals and the description follow. */
  setBucket(group: string, change: Partial<Bucket>): void {
    this.allowances.set(group, change);
  }

  /** Spends tokens of a group, or makes `errors`, as another program on the same address does. */
  spendElsewhere(group: string, tokens: number): void {
    this.allowances.spendElsewhere(group, tokens);
  }
}
