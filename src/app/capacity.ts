import { HOUR, MINUTE } from '../lib/duration.ts';
import { formatInterval } from '../lib/format.ts';

/** What is known or assumed of the work that the settings require. */
export interface CapacityInput {
  /** The regions. Pages of an order book and types with a history are estimated as in EVE where undefined. */
  readonly regions: readonly {
    readonly id: number;
    readonly pages: number | undefined;
    readonly types: number | undefined;
  }[];
  /** Undefined: market orders are not collected. */
  readonly ordersEveryMs: number | undefined;
  readonly history: boolean;
  readonly esiRateLimit: number;
}

/** A statement about one collector. `fits` false: the text says what exceeds which limit, and the consequence. */
export interface CapacityLine {
  readonly collector: string;
  readonly fits: boolean;
  readonly text: string;
}

/** Pages of the largest order books in December 2025. */
const TYPICAL_PAGES: Readonly<Record<number, number>> = {
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

/** The other 104 regions had 506 pages together. */
const OTHER_PAGES = 506 / 104;

/** Outside of The Forge a page of orders has about 45 types. */
const TYPES_PER_PAGE = 45;

/** Types with a market in The Forge, the most of any region. */
const MAX_TYPES = 19_000;

/** ESI's rate limit for market orders: 12,000 tokens in fifteen minutes, of which a page costs two. */
const ORDER_TOKENS = 12_000;
const TOKENS_PER_PAGE = 2;
const WINDOW_MINUTES = 15;

/** ESI's unannounced limit for market history, in requests per minute. */
const HISTORY_LIMIT = 300;

/** A day less an hour of slack. */
const HISTORY_DEADLINE_MINUTES = 23 * 60;

const formatNumber = (n: number) => n.toLocaleString('en', { maximumFractionDigits: n >= 100 ? 0 : 1 });

/** Compares the configured work with every limit that it counts against. */
export function planCapacity(input: CapacityInput): CapacityLine[] {
  if (input.regions.length === 0) return [];
  const books = input.regions.map(({ id, pages, types }) => {
    const assumed = pages ?? TYPICAL_PAGES[id] ?? OTHER_PAGES;
    return { pages: assumed, types: types ?? Math.min(MAX_TYPES, assumed * TYPES_PER_PAGE) };
  });
  const pages = Math.round(books.reduce((sum, book) => sum + book.pages, 0));
  const { ordersEveryMs, esiRateLimit } = input;
  const collectsOrders = ordersEveryMs !== undefined && pages > 0;
  const ordersPerMinute = collectsOrders ? pages / (ordersEveryMs / MINUTE) : 0;
  const lines = collectsOrders ? planOrders(pages, ordersEveryMs, ordersPerMinute, esiRateLimit) : [];
  if (!input.history) return lines;
  const types = Math.round(books.reduce((sum, book) => sum + book.types, 0));
  return [...lines, planHistory(types, ordersPerMinute, esiRateLimit)];
}

function planOrders(pages: number, everyMs: number, perMinute: number, rateLimit: number): CapacityLine[] {
  const collector = 'market-orders';
  const demand = `${formatNumber(pages)} ${pages === 1 ? 'page' : 'pages'} ${formatInterval(everyMs)} ${pages === 1 ? 'needs' : 'need'} ${formatNumber(perMinute)} requests per minute`;
  const lines: CapacityLine[] = [];
  if (perMinute > rateLimit) {
    lines.push({
      collector,
      fits: false,
      text:
        `${demand}, but ESI_RATE_LIMIT is ${formatNumber(rateLimit)}: reading all regions takes ${formatNumber(pages / rateLimit)} minutes, ` +
        'so collection will run less often than configured and order books may be torn. Collect fewer regions, or raise ' +
        'MARKET_ORDERS_INTERVAL or ESI_RATE_LIMIT.',
    });
  } else {
    lines.push({ collector, fits: true, text: `${demand}; ESI_RATE_LIMIT is ${formatNumber(rateLimit)}.` });
  }
  const tokens = TOKENS_PER_PAGE * perMinute * WINDOW_MINUTES;
  if (tokens > ORDER_TOKENS) {
    lines.push({
      collector,
      fits: false,
      text:
        `This needs up to ${formatNumber(tokens)} tokens in ${WINDOW_MINUTES} minutes, but ESI allows ${formatNumber(ORDER_TOKENS)} ` +
        'for market orders: collection will run less often than configured.',
    });
  }
  return lines;
}

function planHistory(types: number, ordersPerMinute: number, rateLimit: number): CapacityLine {
  const collector = 'market-history';
  const left = Math.max(rateLimit - ordersPerMinute, 0);
  const bounds = [
    { limit: HISTORY_LIMIT, reason: "ESI's limit for history" },
    {
      limit: left,
      reason: left < rateLimit ? 'what market orders leave of ESI_RATE_LIMIT' : 'ESI_RATE_LIMIT',
    },
  ];
  const [bound] = bounds.toSorted((a, b) => a.limit - b.limit);
  const perMinute = Math.max(1, bound!.limit);
  const minutes = types / perMinute;
  const duration =
    minutes < 90 ? `${formatNumber(minutes)} minutes` : `${formatNumber((minutes * MINUTE) / HOUR)} hours`;
  const demand =
    `About ${formatNumber(types)} types a day at ${formatNumber(perMinute)} requests per minute (${bound!.reason}) take ` +
    duration;
  if (minutes <= HISTORY_DEADLINE_MINUTES) return { collector, fits: true, text: `${demand}.` };
  return {
    collector,
    fits: false,
    text: `${demand}, which is more than a day: each type is collected every ${formatNumber(minutes / 60 / 24)} days, the longest overdue first.`,
  };
}
