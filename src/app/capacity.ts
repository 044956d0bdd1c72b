/** What is known or assumed of the work that the settings ask for. */
export interface CapacityInput {
  /** Pages of each configured region's order book; absent regions are estimated. */
  readonly regions: readonly {
    readonly id: number;
    readonly pages: number | undefined;
    readonly types: number | undefined;
  }[];
  readonly ordersEveryMs: number | undefined;
  readonly history: boolean;
  readonly esiRateLimit: number;
}

/** One statement of the plan. `fits` false: what does not fit, and its consequence. */
export interface CapacityLine {
  readonly collector: string;
  readonly fits: boolean;
  readonly text: string;
}

/** Pages of the largest books in December 2025; the other 104 regions had 506 together. */
const PAGES: Readonly<Record<number, number>> = {
  10000002: 434,
  10000043: 190,
  10000032: 128,
  10000042: 127,
  10000016: 79,
  10000030: 76,
  10000064: 51,
  10000033: 51,
  10000048: 45,
};
const PAGES_ELSEWHERE = 506 / 104;

/** Types with a market: 19,000 in The Forge, and some 45 a page of orders elsewhere. */
const TYPES_PER_PAGE = 45;
const MOST_TYPES = 19_000;

/** ESI's bucket for market orders: 12,000 tokens in fifteen minutes, two a page. */
const ORDER_TOKENS = 12_000;
const WINDOW_MINUTES = 15;

/** The hidden limit of market history, and the share of our ceiling that backfills may take. */
const HISTORY_LIMIT = 300;
const BACKFILL_SHARE = 0.8;

const round = (n: number) =>
  n >= 100 ? Math.round(n).toLocaleString('en') : String(Math.round(n * 10) / 10);

function typesOf(pages: number): number {
  return Math.min(MOST_TYPES, pages * TYPES_PER_PAGE);
}

/** The configured work against every budget it draws on, in sentences. */
export function planCapacity(input: CapacityInput): CapacityLine[] {
  const books = input.regions.map(({ id, pages, types }) => {
    const known = pages ?? PAGES[id] ?? PAGES_ELSEWHERE;
    return { pages: known, types: types ?? typesOf(known) };
  });
  const pages = Math.round(books.reduce((sum, book) => sum + book.pages, 0));
  const lines: CapacityLine[] = [];
  let ordersPerMinute = 0;
  if (input.ordersEveryMs !== undefined && pages > 0) {
    ordersPerMinute = pages / (input.ordersEveryMs / 60_000);
    lines.push(...ordersDemand(pages, input.ordersEveryMs, ordersPerMinute, input.esiRateLimit));
  }
  if (input.history) {
    const types = Math.round(books.reduce((sum, book) => sum + book.types, 0));
    lines.push(historyDemand(types, ordersPerMinute, input.esiRateLimit));
  }
  return lines;
}

function ordersDemand(pages: number, everyMs: number, perMinute: number, ceiling: number): CapacityLine[] {
  const collector = 'market-orders';
  const need = `${pages.toLocaleString('en')} pages every ${round(everyMs / 60_000)} minutes are ${round(perMinute)} requests a minute`;
  const tokens = 2 * perMinute * WINDOW_MINUTES;
  const lines: CapacityLine[] = [];
  if (perMinute > ceiling) {
    const sweep = round(pages / ceiling);
    lines.push({
      collector,
      fits: false,
      text: `${need}, and ESI_RATE_LIMIT is ${ceiling}: a sweep takes ${sweep} minutes, so books are that far apart and may be torn. Fewer regions, a longer MARKET_ORDERS_INTERVAL, or a higher limit would fit.`,
    });
  } else {
    lines.push({ collector, fits: true, text: `${need}; ESI_RATE_LIMIT is ${ceiling}.` });
  }
  if (tokens > ORDER_TOKENS) {
    const text = `${round(tokens)} tokens in 15 minutes at most, and ESI's bucket for market orders holds ${ORDER_TOKENS}: sweeps stretch until it fits.`;
    lines.push({ collector, fits: false, text });
  }
  return lines;
}

function historyDemand(types: number, ordersPerMinute: number, ceiling: number): CapacityLine {
  const collector = 'market-history';
  const left = Math.max(ceiling - ordersPerMinute, 0);
  const speed = Math.max(1, Math.min(HISTORY_LIMIT, BACKFILL_SHARE * ceiling, left));
  const minutes = types / speed;
  const need = `some ${types.toLocaleString('en')} types a day at ${round(speed)} a minute (what the market leaves of ESI_RATE_LIMIT, ESI allows ${HISTORY_LIMIT}) take ${minutes < 90 ? `${round(minutes)} minutes` : `${round(minutes / 60)} hours`}`;
  if (minutes <= 23 * 60) return { collector, fits: true, text: `${need}.` };
  return {
    collector,
    fits: false,
    text: `${need}: more than a day. Each type comes round every ${round(minutes / 60 / 24)} days; those that waited longest go first.`,
  };
}
