import { between, createRandom, mixSeed, pick, weighted, type Random } from './random.ts';
import type { Order, Universe } from './esi-rows.ts';

/** The share of buy orders among the rows observed. */
const BUY_SHARE = 0.44;

/** The share of orders at player structures. */
const STRUCTURE_SHARE = 0.085;

/** The largest volume, which is not rare. */
const INT32_MAX = 2_147_483_647;

/** The ids of a system's structures, in the middle of the ids observed. */
export const structureId = (system: number, number: number): number =>
  1_020_000_000_000 + (system % 1_000_000) * 1_000 + number;
const FIRST_ORDER = 6_000_000_000;

/** Room for 600,000 orders a region 8 apart; 9 million times 114 regions stays below the real 7.1e9. */
const ORDERS_A_REGION = 9_000_000;

const BUY_RANGES = [
  ['station', 18_226],
  ['1', 7_064],
  ['region', 4_124],
  ['solarsystem', 3_331],
  ['40', 2_840],
  ['5', 1_801],
  ['3', 1_611],
  ['2', 1_206],
  ['10', 1_119],
  ['4', 820],
  ['20', 144],
  ['30', 47],
] as const; // rows observed of each

const DURATIONS = [
  [90, 890],
  [30, 40],
  [365, 30],
  [7, 15],
  [14, 10],
  [1, 8],
  [3, 7],
] as const; // 89 % are 90 days; 365 is what NPC orders have

/** Makes the orders of one region. */
export interface OrderMaker {
  make(issuedAt: number, partial?: Partial<Order>): Order;
  random: Random;
}

/** ESI's times have whole seconds. */
export function isoSeconds(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** ISK has two decimals, and the lowest price is 0.01. */
export function roundPrice(price: number): number {
  return Math.max(0.01, Math.round(price * 100) / 100);
}

/** The price of a type, the same in every region: 1 to 2e9 ISK. */
export function basePrice(typeId: number): number {
  return 10 ** (createRandom(typeId)() * 9.3);
}

function volumeOf(random: Random): number {
  if (random() < 0.0015) return INT32_MAX; // 138 of 97,000 rows
  return Math.ceil(10 ** (random() ** 2 * 6)); // most are small
}

interface Places {
  stations: [station: number, system: number][];
  systems: number[];
}

function placesOf(universe: Universe, regionId: number): Places {
  const places: Places = { stations: [], systems: [] };
  for (const constellation of universe.regions.get(regionId)?.constellations ?? []) {
    for (const system of universe.constellations.get(constellation)?.systems ?? []) {
      places.systems.push(system);
      for (const station of universe.systems.get(system)?.stations ?? [])
        places.stations.push([station, system]);
    }
  }
  return places;
}

/** Half of a region's orders are in its hub and 8.5 % in player structures. */
function placeOf(places: Places, random: Random): [number, number] {
  if (places.stations.length === 0 || random() < STRUCTURE_SHARE) {
    const system = pick(random, places.systems);
    return [structureId(system, between(random, 1, 5)), system];
  }
  const hub = places.stations[0] as [number, number];
  return random() < 0.5 ? hub : pick(random, places.stations);
}

function tradableTypes(universe: Universe): number[] {
  const rows = [...universe.types.values()];
  return rows.filter((row) => row.published && row.market_group_id !== undefined).map((row) => row.type_id);
}

/** The orders of `regionId`, the region at `index`. The same seed makes the same orders. */
export function createOrderMaker(
  universe: Universe,
  regionId: number,
  index: number,
  seed: number,
): OrderMaker {
  const random = createRandom(mixSeed(seed, regionId));
  const places = placesOf(universe, regionId);
  const types = tradableTypes(universe);
  const prices = new Map<number, number>();
  let nextId = FIRST_ORDER + index * ORDERS_A_REGION;
  const make = (issuedAt: number, partial: Partial<Order> = {}): Order => {
    const isBuy = random() < BUY_SHARE;
    const typeId = pick(random, types);
    const [location, system] = placeOf(places, random);
    const total = volumeOf(random);
    const minimum = isBuy && random() < 0.08 ? between(random, 1, total) : 1; // only buy orders have more than 1
    const base = prices.get(typeId) ?? basePrice(typeId);
    prices.set(typeId, base);
    nextId += between(random, 1, 15); // 8 on average, see ORDERS_A_REGION
    return {
      duration: weighted(random, DURATIONS),
      is_buy_order: isBuy,
      issued: isoSeconds(issuedAt),
      location_id: location,
      min_volume: minimum,
      order_id: nextId,
      price: roundPrice(base * (isBuy ? 0.7 + random() * 0.28 : 1 + random() * 0.5)), // buy prices are below sell prices
      range: isBuy ? weighted(random, BUY_RANGES) : 'region',
      system_id: system,
      type_id: typeId,
      volume_remain: random() < 0.53 ? total : between(random, 1, total), // 53 % are untouched
      volume_total: total,
      ...partial,
    };
  };
  return { make, random };
}

/** The first rows of a region, in the arbitrary but stable order in which ESI lists them. */
export function firstOrders(maker: OrderMaker, count: number, now: number): Order[] {
  const day = Math.floor(now / 86_400_000) * 86_400_000; // two worlds of one day are alike
  const rows: Order[] = [];
  for (let made = 0; made < count; made++) {
    rows.push(maker.make(day - Math.floor(maker.random() * 80 * 86_400) * 1_000)); // within the usual 90 days
  }
  for (let last = rows.length - 1; last > 0; last--) {
    const other = between(maker.random, 0, last);
    [rows[last], rows[other]] = [rows[other] as Order, rows[last] as Order];
  }
  return rows;
}
