import { packJson } from './body.ts';
import { bookPage, currentOf, PAGE_SIZE } from './book.ts';
import { failure, type Resolve } from './content.ts';
import { pricesBody } from './prices.ts';
import type { Order } from './shapes.ts';
import { mutate, servePages, type ShownRows } from './spoil.ts';
import type { World } from './world.ts';

function shownRows(world: World, regionId: number): ShownRows<Order> {
  world.turnDue(regionId);
  const book = world.book(regionId);
  const { rows, lastModified, expires } = currentOf(book);
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
    return failure(404, 'Region not found!');
  }
  return servePages(context, call, {
    key: `orders ${regionId}`,
    size: PAGE_SIZE,
    read: () => shownRows(world, regionId),
    turn: () => world.turn(regionId),
  });
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
