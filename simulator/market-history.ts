import type { Clock } from '../src/lib/clock.ts';
import { DAY_MS, DAILY_UPDATE_MS } from './cache-times.ts';
import { basePrice, roundPrice } from './order-maker.ts';
import { between, createRandom, mixSeed } from './random.ts';
import type { HistoryRow } from './esi-rows.ts';

/** ESI returns about 14 months. */
const DAYS = 400;

/** The share of tradable types that a region has never traded. */
const EMPTY_SHARE = 0.03;

/** The share of types that trade every day: 860 of 5,650 types observed have no gap. */
const GAPLESS_SHARE = 0.15;

/** The most orders observed on a day. */
const MAX_ORDERS = 6_448;

/** The volume of Tritanium's best day, which exceeds 32 bits. */
const MAX_VOLUME = 27_939_708_190;

/** Types 34 to 40 are the minerals. They trade every day and everywhere. */
export const isMineral = (typeId: number): boolean => typeId >= 34 && typeId <= 40;

/** The daily history of all markets, made on request. The same seed gives the same history. */
export interface Histories {
  /** Identifies the state of a market's history. */
  version(regionId: number, typeId: number): string;
  rows(regionId: number, typeId: number): HistoryRow[];
  /** Changes a day that was served already, or adds a day that was a gap. */
  correct(regionId: number, typeId: number, date: string, patch: Partial<HistoryRow>): HistoryRow;
}

/** How a type trades in a region. */
interface Trade {
  seed: number;
  base: number;
  /** The share of days on which the type trades. */
  activity: number;
  volume: number;
  phase: number;
}

const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

function tradeOf(seed: number, regionId: number, typeId: number): Trade {
  const own = mixSeed(mixSeed(seed, regionId), typeId);
  const random = createRandom(own);
  const chance = random();
  const gapless = isMineral(typeId) || chance > 1 - GAPLESS_SHARE;
  const some = chance < EMPTY_SHARE ? 0 : Math.max(0.02, random()); // at least one day in 50
  return {
    seed: own,
    base: basePrice(typeId),
    activity: gapless ? 1 : some,
    volume: typeId === 34 ? MAX_VOLUME / 3 : 10 ** (random() * 7), // up to ten million a day
    phase: random() * 2 * Math.PI,
  };
}

/** A day depends only on its number, so it stays the same while the window moves. */
function dayOf(trade: Trade, day: number): { traded: boolean; row: HistoryRow } {
  const random = createRandom(mixSeed(trade.seed, day));
  const traded = random() < trade.activity;
  const season = 1 + 0.3 * Math.sin(trade.phase + day / 58); // a swing takes about a year
  const average = roundPrice(trade.base * season * (0.95 + random() * 0.1)); // within 5 %
  const volume = Math.max(1, Math.round(trade.volume * (0.2 + random() * 2.5)));
  const row = {
    average,
    date: dateOf(day),
    highest: roundPrice(average * (1 + random() * 0.1)),
    lowest: roundPrice(average * (1 - random() * 0.1)),
    order_count: Math.min(volume, MAX_ORDERS, between(random, 1, 3_000)),
    volume,
  };
  return { traded, row };
}

/** Creates the histories. The newest day is yesterday, from 11:05 UTC on. */
export function createHistories(clock: Clock, seed: number): Histories {
  const corrections = new Map<string, Map<string, HistoryRow>>();
  const counts = new Map<string, number>();
  const lastDay = () => Math.floor((clock.now() - DAILY_UPDATE_MS) / DAY_MS) - 1;
  return {
    version: (regionId, typeId) => `${lastDay()}.${counts.get(`${regionId}.${typeId}`) ?? 0}`,
    rows: (regionId, typeId) => {
      const trade = tradeOf(seed, regionId, typeId);
      const corrected = corrections.get(`${regionId}.${typeId}`);
      const last = lastDay();
      const rows: HistoryRow[] = [];
      for (let day = last - DAYS + 1; day <= last; day++) {
        const { traded, row } = dayOf(trade, day);
        const shown = corrected?.get(row.date) ?? (traded ? row : undefined);
        if (shown) rows.push(shown);
      }
      return rows;
    },
    correct: (regionId, typeId, date, patch) => {
      const key = `${regionId}.${typeId}`;
      const day = Math.floor(Date.parse(date) / DAY_MS);
      const last = lastDay();
      if (!(day > last - DAYS && day <= last)) throw new Error(`The history shows no day ${date}.`);
      const known = corrections.get(key) ?? new Map<string, HistoryRow>();
      const before = known.get(date) ?? dayOf(tradeOf(seed, regionId, typeId), day).row;
      const row = { ...before, ...patch };
      corrections.set(key, known.set(date, row));
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return row;
    },
  };
}
