import { MINUTE } from './allowances.ts';
import type { Call } from './esi-call.ts';
import { errorContent, type Content } from './route-content.ts';
import { emptyWindow, spend, tokensWithin, type FloatingWindow } from './floating-window.ts';

/** Requests per minute for the market history, as CCP wrote in May 2023. */
export const HIDDEN_LIMIT = 300;

/** A limiter in the game server: requests in a floating minute per address and route, including refused ones. */
export interface HiddenLimit {
  readonly limit: number;
  /** Records a request and returns whether it exceeds the limit. */
  recordRequest(call: Call): boolean;
}

/** With `enforce: false` no request exceeds the limit. */
export function createHiddenLimit(limit: number, enforce: boolean): HiddenLimit {
  const windows = new Map<string, FloatingWindow>();
  return {
    limit,
    recordRequest: (call) => {
      const key = `${call.route} ${call.caller}`;
      const window = windows.get(key) ?? emptyWindow();
      windows.set(key, window);
      spend(window, call.at, 1);
      return tokensWithin(window, call.at, MINUTE) > limit && enforce;
    },
  };
}

/** The refusals: today's 429, and the 500 of 2023 with the reason in its text. */
export function hiddenRefusal(code: 429 | 500, limit: number): Content {
  const text = `Too many requests: this endpoint is limited to ${limit} requests per minute, please wait a minute.`;
  return code === 429
    ? errorContent(429, text)
    : errorContent(500, `Undefined 429 response. Original message: ${text}`);
}
