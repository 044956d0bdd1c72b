import { snapshotTimes, type CacheTimes } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import { applyChurn, removeAt } from './order-churn.ts';
import { firstOrders, type OrderMaker } from './order-maker.ts';
import type { Order } from './esi-rows.ts';

/** ESI's page size for orders. */
export const PAGE_SIZE = 1_000;

const MAX_SNAPSHOTS = 50;

/** A snapshot is an array of references: four million of them take 32 MB. Large regions keep fewer snapshots. */
const MAX_SNAPSHOT_ROWS = 4_000_000;

/** What a region serves until its next snapshot. Rows are never changed, only replaced. */
export interface Snapshot extends CacheTimes {
  rows: readonly Order[];
}

/** The market of one region: its live rows, the snapshots taken of them, and the pages of the newest snapshot. */
export interface OrderBook {
  live: Order[];
  maker: OrderMaker;
  churn: number | undefined;
  snapshots: Snapshot[];
  /** Counts the snapshots. */
  version: number;
  pages: (Body | undefined)[];
}

/** A region without orders has one empty page. */
export function pageCount(rows: readonly unknown[]): number {
  return Math.max(1, Math.ceil(rows.length / PAGE_SIZE));
}

export function pageRows<T>(rows: readonly T[], page: number): T[] {
  return rows.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
}

/** The snapshot that is served now. */
export function currentSnapshot(book: OrderBook): Snapshot {
  return book.snapshots.at(-1) as Snapshot;
}

/** A page of the current snapshot, packed at the first request. */
export function bookPage(book: OrderBook, page: number): Body {
  return (book.pages[page - 1] ??= packJson(pageRows(currentSnapshot(book).rows, page)));
}

/** Keeps the packed pages whose rows are the same objects as before. */
function reusePages(book: OrderBook, before: readonly Order[], after: readonly Order[]): void {
  const same = (page: number): boolean => {
    const end = Math.min((page + 1) * PAGE_SIZE, Math.max(before.length, after.length));
    for (let index = page * PAGE_SIZE; index < end; index++) if (before[index] !== after[index]) return false;
    return true;
  };
  book.pages = Array.from({ length: pageCount(after) }, (_, page) =>
    book.pages[page] && same(page) ? book.pages[page] : undefined,
  );
}

function addSnapshot(book: OrderBook, times: CacheTimes): void {
  const rows = [...book.live];
  const before = book.snapshots.at(-1);
  if (before) reusePages(book, before.rows, rows);
  book.snapshots.push({ ...times, rows });
  const max = Math.min(MAX_SNAPSHOTS, Math.max(2, Math.floor(MAX_SNAPSHOT_ROWS / Math.max(rows.length, 1))));
  if (book.snapshots.length > max) book.snapshots.splice(0, book.snapshots.length - max);
  book.version++;
}

/** Creates a region's market. Its snapshot is `age` old, so that regions change at different times. */
export function createOrderBook(
  maker: OrderMaker,
  count: number,
  now: number,
  age: number,
  cacheMs: number,
): OrderBook {
  const live = firstOrders(maker, count, now);
  const book: OrderBook = { live, maker, churn: undefined, snapshots: [], version: 0, pages: [] };
  addSnapshot(book, snapshotTimes(now - age, cacheMs));
  return book;
}

/** Applies the churn once and takes a snapshot of the live rows. No two snapshots have the same Last-Modified. */
export function takeBookSnapshot(book: OrderBook, now: number, share: number, cacheMs: number): void {
  const times = snapshotTimes(now, cacheMs, currentSnapshot(book));
  const churn = book.churn ?? share;
  if (churn > 0) applyChurn(book.live, book.maker, churn, times.lastModified.getTime());
  addSnapshot(book, times);
}

/** Takes a snapshot if the current one has expired, at a multiple of the cache time after it. */
export function takeDueBookSnapshot(book: OrderBook, now: number, share: number, cacheMs: number): void {
  const due = currentSnapshot(book).expires.getTime();
  if (now >= due) takeBookSnapshot(book, due + Math.floor((now - due) / cacheMs) * cacheMs, share, cacheMs);
}

/** Removes an order from the live rows. Returns false when no order has the id. */
export function removeLiveOrder(book: OrderBook, orderId: number): boolean {
  const index = book.live.findIndex((row) => row.order_id === orderId);
  if (index >= 0) removeAt(book.live, index);
  return index >= 0;
}
