import { packJson, type Body } from './body.ts';
import { bookPage, currentOf, pageCount, pageRows } from './book.ts';
import type { Call } from './call.ts';
import { failure, noSuchPage, pageOf, type Resolve, type RouteContext } from './content.ts';
import { pricesBody } from './prices.ts';
import type { Order, Price } from './shapes.ts';

/** Regions whose page 1 went out and that have not been torn since; by world, so that servers do not mix. */
const started = new WeakMap<object, Set<number>>();

/** The tear fault: the first later page of a read finds a new snapshot. */
function tear({ world, box }: RouteContext, call: Call, regionId: number, page: number): void {
  const reads = started.get(world) ?? new Set();
  started.set(world, reads);
  if (page === 1) reads.add(regionId);
  else if (reads.has(regionId) && box.take(['tear'], call)) {
    reads.delete(regionId);
    world.turn(regionId);
  }
}

function mutate(context: RouteContext, call: Call, rows: (Order | Price)[]): unknown[] | undefined {
  const fault = context.box.take(['mutateRows'], call);
  return fault && rows.map((row) => fault.change(row)).filter((row) => row !== null);
}

/** The page as the faults leave it; undefined when none strikes. */
function spoil(
  context: RouteContext,
  call: Call,
  rows: readonly Order[],
  page: number,
): unknown[] | undefined {
  const { box } = context;
  const pages = pageCount(rows);
  const list = pageRows(rows, page);
  if (box.take(['emptyPage'], call, (fault) => (fault.page ?? page) === page)) return [];
  if (page === pages && box.take(['duplicateOrder'], call))
    return [...list.slice(0, -1), ...rows.slice(0, 1)];
  if (page === Math.ceil(pages / 2) && box.take(['dropOrder'], call)) {
    return list.toSpliced(Math.floor(list.length / 2), 1);
  }
  return mutate(context, call, list);
}

/** `/markets/{region_id}/orders` */
export const orders: Resolve = (context, call, regionId) => {
  const { world, box } = context;
  if (!world.regions.has(regionId) || world.isForgotten('regions', regionId)) {
    return failure(404, 'Region not found!');
  }
  const page = pageOf(call);
  if (page === undefined) return failure(400, 'page: not a positive number');
  world.turnDue(regionId);
  tear(context, call, regionId, page);
  const book = world.book(regionId);
  const snapshot = currentOf(book);
  const version = `${regionId}.${book.version}`;
  const collapse = box.take(['collapse'], call);
  const rows = collapse
    ? snapshot.rows.slice(0, Math.ceil(snapshot.rows.length * collapse.share))
    : snapshot.rows;
  const pages = pageCount(rows);
  if (page > pages) return noSuchPage(pages, version);
  const spoilt = spoil(context, call, rows, page) ?? (collapse && pageRows(rows, page));
  const body: Body = spoilt ? packJson(spoilt) : bookPage(book, page);
  const wrong = page > 1 ? box.take(['wrongPages'], call) : undefined;
  return {
    status: 200,
    body,
    lastModified: snapshot.lastModified,
    expires: snapshot.expires,
    pages: wrong?.pages ?? pages,
    version,
    damaged: Boolean(spoilt ?? wrong),
  };
};

/** `/markets/prices` */
export const prices: Resolve = (context, call) => {
  const { world } = context;
  world.turnPricesDue();
  const list = world.priceList;
  const spoilt = mutate(context, call, [...list.served]);
  return {
    status: 200,
    body: spoilt ? packJson(spoilt) : pricesBody(list),
    lastModified: list.lastModified,
    expires: list.expires,
    version: `prices.${list.version}`,
    damaged: spoilt !== undefined,
  };
};
