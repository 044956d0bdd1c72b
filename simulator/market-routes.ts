import { packJson } from './packed-body.ts';
import { bookPage, currentSnapshot, PAGE_SIZE } from './order-book.ts';
import { errorContent, type Resolve } from './route-content.ts';
import { pricesBody } from './price-list.ts';
import type { Order } from './esi-rows.ts';
import { mutateRows, servePages, type ServedRows } from './serve-pages.ts';
import type { World } from './world.ts';

function servedRows(world: World, regionId: number): ServedRows<Order> {
  world.takeDueSnapshot(regionId);
  const book = world.book(regionId);
  const { rows, lastModified, expires } = currentSnapshot(book);
  return {
    rows,
    lastModified,
    expires,
    version: `${regionId}.${book.version}`,
    body: (from) => bookPage(book, from / PAGE_SIZE + 1),
  };
}

/** `/markets/{region_id}/orders` */
export const orders: Resolve = (context, call, regionId) => {
  const { world } = context;
  if (!world.regions.has(regionId) || world.isForgotten('regions', regionId)) {
    return errorContent(404, 'Region not found!');
  }
  return servePages(context, call, {
    key: `orders ${regionId}`,
    size: PAGE_SIZE,
    read: () => servedRows(world, regionId),
    takeSnapshot: () => world.takeSnapshot(regionId),
  });
};

/** `/markets/prices` */
export const prices: Resolve = (context, call) => {
  const { world } = context;
  world.takeDuePriceSnapshot();
  const list = world.priceList;
  const changedRows = mutateRows(context, call, [...list.served]);
  return {
    status: 200,
    body: changedRows ? packJson(changedRows) : pricesBody(list),
    lastModified: list.lastModified,
    expires: list.expires,
    version: `prices.${list.version}`,
    damaged: changedRows !== undefined,
  };
};
