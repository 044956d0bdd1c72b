import { MINUTE } from './allowances.ts';
import type { Call } from './esi-call.ts';
import { errorContent, type Content } from './route-content.ts';
import { emptyWindow, spend, tokensWithin, type FloatingWindow } from './floating-window.ts';

export const HIDDEN_LIMIT = 300; // requests a minute for the market's history, as CCP wrote in May 2023

/** A limiter inside the game server: requests of a floating minute per address and route, refused ones included. */
export interface HiddenLimit {
  readonly limit: number;
  /** Books a request and tells whether it is one too many. */
  recordRequest(call: Call): boolean;
}

/** `enforce: false` never refuses. */
export function createHiddenLimit(limit: number, enforce: boolean): HiddenLimit {
  const ledgers = new Map<string, FloatingWindow>();
  return {
    limit,
    recordRequest: (call) => {
      const key = `${call.route} ${call.caller}`;
      const ledger = ledgers.get(key) ?? emptyWindow();
      ledgers.set(key, ledger);
      spend(ledger, call.at, 1);
      return tokensWithin(ledger, call.at, MINUTE) > limit && enforce;
    },
  };
}

/** Its refusals: today's, and the 500 of 2023 with the reason in the text. */
export function hiddenRefusal(code: 429 | 500, limit: number): Content {
  const text = `Too many requests: this endpoint is limited to ${limit} requests per minute, please wait a minute.`;
  return code === 429
    ? errorContent(429, text)
    : errorContent(500, `Undefined 429 response. Original message: ${text}`);
}
