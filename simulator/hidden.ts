import { MINUTE } from './allowances.ts';
import type { Call } from './call.ts';
import { failure, type Content } from './content.ts';
import { emptyLedger, spend, usedWithin, type Ledger } from './ledger.ts';

export const HIDDEN_LIMIT = 300; // requests a minute for the market's history, as CCP wrote in May 2023

/** A limiter inside the game server: requests of a floating minute per address and route, refused ones included. */
export interface HiddenLimiter {
  readonly limit: number;
  /** Books a request and tells whether it is one too many. */
  arrive(call: Call): boolean;
}

/** `enforce: false` never refuses. */
export function createHiddenLimiter(limit: number, enforce: boolean): HiddenLimiter {
  const ledgers = new Map<string, Ledger>();
  return {
    limit,
    arrive: (call) => {
      const key = `${call.route} ${call.caller}`;
      const ledger = ledgers.get(key) ?? emptyLedger();
      ledgers.set(key, ledger);
      spend(ledger, call.at, 1);
      return usedWithin(ledger, call.at, MINUTE) > limit && enforce;
    },
  };
}

/** Its refusals: today's, and the 500 of 2023 with the reason in the text. */
export function hiddenRefusal(code: 429 | 500, limit: number): Content {
  const text = `Too many requests: this endpoint is limited to ${limit} requests per minute, please wait a minute.`;
  return code === 429
    ? failure(429, text)
    : failure(500, `Undefined 429 response. Original message: ${text}`);
}
