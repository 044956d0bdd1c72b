import { snapshotTimes, type CacheTimes } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import { roundPrice } from './order-maker.ts';
import { between, type Random } from './random.ts';
import type { Price, Universe } from './esi-rows.ts';

/** ESI's cache time for prices. */
export const PRICES_CACHE_MS = 3_600_000;

/** The list of /markets/prices: the live prices, which the next snapshot shows, and those served now. */
export interface PriceList extends CacheTimes {
  live: Price[];
  served: readonly Price[];
  version: number;
  body: Body | undefined;
}

/** Prices of all tradable types. An eighth has no average, and a third of the adjusted prices is 0. */
function firstPrices(universe: Universe, random: Random): Price[] {
  const rows = [...universe.types.values()].filter((row) => row.market_group_id !== undefined);
  return rows.map(({ type_id }) => {
    const price = 10 ** (random() * 9);
    return {
      adjusted_price: random() < 0.33 ? 0 : price * (0.9 + random() * 0.2), // many decimals, like the real ones
      ...(random() < 0.88 ? { average_price: roundPrice(price) } : {}),
      type_id,
    };
  });
}

/** Creates the list at `now`. */
export function openPrices(universe: Universe, random: Random, now: number): PriceList {
  const live = firstPrices(universe, random);
  return {
    live,
    served: [...live],
    ...snapshotTimes(now, PRICES_CACHE_MS),
    version: 1,
    body: undefined,
  };
}

/** Takes a snapshot of the live prices, under a new Last-Modified. */
export function takePriceSnapshot(list: PriceList, time: number): void {
  list.served = [...list.live];
  Object.assign(list, snapshotTimes(time, PRICES_CACHE_MS, list));
  list.version++;
  list.body = undefined;
}

/** Changes a share of the live prices. */
export function changePrices(list: PriceList, share: number, random: Random): void {
  const count = Math.ceil(list.live.length * share);
  for (let change = 0; change < count; change++) {
    const index = between(random, 0, list.live.length - 1);
    const row = list.live[index];
    if (!row) continue;
    const factor = 0.9 + random() * 0.2; // within a tenth
    list.live[index] = {
      ...row,
      ...(row.adjusted_price === undefined ? {} : { adjusted_price: row.adjusted_price * factor }),
      ...(row.average_price === undefined ? {} : { average_price: roundPrice(row.average_price * factor) }),
    };
  }
}

/** The body that is served now. */
export function pricesBody(list: PriceList): Body {
  return (list.body ??= packJson(list.served));
}
