import { packJson, type Body } from './packed-body.ts';
import { applyChurn, removeAt } from './order-churn.ts';
import { firstOrders, type OrderMaker } from './order-maker.ts';
import type { Order } from './esi-rows.ts';

export const PAGE_SIZE = 1_000; // ESI's
const KEPT_SNAPSHOTS = 50;
/** A snapshot is an array of references; four million of them are 32 MB. Large regions keep fewer snapshots. */
const KEPT_ROWS = 4_000_000;

/** What a region shows between two turns. The rows are never changed, only replaced. */
export interface Snapshot {
  lastModified: Date;
  expires: Date;
  rows: readonly Order[];
}

/** One region's market: the live rows, the snapshots made of them, and the pages of the last one. */
export interface OrderBook {
  live: Order[];
  maker: OrderMaker;
  churn: number | undefined;
  snapshots: Snapshot[];
  /** Counts the turns. */
  version: number;
  pages: (Body | undefined)[];
}

/** A region without orders has one empty page. */
export function pageCount(rows: readonly unknown[]): number {
  return Math.max(1, Math.ceil(rows.length / PAGE_SIZE));
}

/** The rows of one page. */
export function pageRows<T>(rows: readonly T[], page: number): T[] {
  return rows.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
}

/** The snapshot that is served now. */
export function currentSnapshot(book: OrderBook): Snapshot {
  return book.snapshots.at(-1) as Snapshot;
}

/** A page of the current snapshot: made when it is first asked for. */
export function bookPage(book: OrderBook, page: number): Body {
  return (book.pages[page - 1] ??= packJson(pageRows(currentSnapshot(book).rows, page)));
}

/** A page whose rows are all the same objects as before is the same page. */
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

function addSnapshot(book: OrderBook, lastModified: number, cacheMs: number): void {
  const rows = [...book.live];
  const before = book.snapshots.at(-1);
  if (before) reusePages(book, before.rows, rows);
  book.snapshots.push({
    lastModified: new Date(lastModified),
    expires: new Date(lastModified + cacheMs),
    rows,
  });
  const kept = Math.min(KEPT_SNAPSHOTS, Math.max(2, Math.floor(KEPT_ROWS / Math.max(rows.length, 1))));
  if (book.snapshots.length > kept) book.snapshots.splice(0, book.snapshots.length - kept);
  book.version++;
}

/** Opens a region's market; its snapshot is already `age` old, so that regions turn at different times. */
export function createOrderBook(
  maker: OrderMaker,
  count: number,
  now: number,
  age: number,
  cacheMs: number,
): OrderBook {
  const live = firstOrders(maker, count, now);
  const book: OrderBook = { live, maker, churn: undefined, snapshots: [], version: 0, pages: [] };
  addSnapshot(book, Math.floor(now / 1_000) * 1_000 - age, cacheMs); // headers have whole seconds
  return book;
}

/** Makes a new snapshot: churn once, then the live rows. No two snapshots share one Last-Modified. */
export function takeBookSnapshot(
  book: OrderBook,
  lastModified: number,
  share: number,
  cacheMs: number,
): void {
  const second = Math.floor(lastModified / 1_000) * 1_000;
  const time = Math.max(second, currentSnapshot(book).lastModified.getTime() + 1_000);
  const churn = book.churn ?? share;
  if (churn > 0) applyChurn(book.live, book.maker, churn, time);
  addSnapshot(book, time, cacheMs);
}

/** Turns by itself when its time is over, in step with the region's own phase. */
export function takeDueBookSnapshot(book: OrderBook, now: number, share: number, cacheMs: number): void {
  const due = currentSnapshot(book).expires.getTime();
  if (now >= due) takeBookSnapshot(book, due + Math.floor((now - due) / cacheMs) * cacheMs, share, cacheMs);
}

/** Takes an order off the live rows; false when there is none of that id. */
export function dropOrder(book: OrderBook, orderId: number): boolean {
  const index = book.live.findIndex((row) => row.order_id === orderId);
  if (index >= 0) removeAt(book.live, index);
  return index >= 0;
}
