import { DAY, MINUTE } from '../lib/duration.ts';
import { header, type Headers, numberHeader } from './classify-status.ts';
import { EsiError } from './esi-error.ts';

/** ESI caches nothing for longer than a day. A later `Expires` is an error, and obeying it would end a series. */
const MAX_LIFETIME = DAY;

/** Clocks of ESI's servers may differ by this much. A later Last-Modified is an error. */
const MAX_CLOCK_SKEW = 5 * MINUTE;

/** The largest region had 411 pages in 2026. Ten times that is an error, and each page beyond the last costs one. */
const MAX_PAGES = 4_000;

/** Age and extent of an answer. */
export interface Freshness {
  /** On our clock, where the server's is wrong. */
  readonly lastModified: Date | undefined;
  /** On our clock: `Expires` minus `Date`, so that a wrong local clock does not cause early requests. */
  readonly expires: Date | undefined;
  readonly pages: number | undefined;
}

/** Reads age and extent from the headers of an answer. Throws EsiError `retry` when X-Pages is implausible. */
export function readFreshness(headers: Headers, now: number, path: string): Freshness {
  const serverNow = dateHeader(headers, 'date') ?? now;
  const expires = dateHeader(headers, 'expires');
  const modified = dateHeader(headers, 'last-modified');
  // A snapshot "modified" in the future would count as newer than every later one.
  const isInFuture = modified !== undefined && modified > serverNow + MAX_CLOCK_SKEW;
  return {
    lastModified:
      modified === undefined || isInFuture ? undefined : new Date(modified - clockError(serverNow, now)),
    expires:
      expires === undefined
        ? undefined
        : new Date(now + Math.min(Math.max(0, expires - serverNow), MAX_LIFETIME)),
    pages: readPages(headers, path),
  };
}

/**
 * Milliseconds by which the server's clock is wrong, in whole minutes, so that they are the same for all pages of a snapshot.
 * Clocks that differ by less than five minutes are both right.
 */
function clockError(serverNow: number, now: number): number {
  const difference = serverNow - now;
  return Math.abs(difference) <= MAX_CLOCK_SKEW ? 0 : Math.round(difference / MINUTE) * MINUTE;
}

function readPages(headers: Headers, path: string): number | undefined {
  const pages = numberHeader(headers, 'x-pages');
  if (pages === undefined || pages <= MAX_PAGES) return pages === 0 ? 1 : pages;
  throw new EsiError(`ESI reports ${pages.toLocaleString('en')} pages for ${path}, which is implausible.`, {
    code: 'ESI_BAD_SHAPE',
    verdict: 'retry',
  });
}

function dateHeader(headers: Headers, name: string): number | undefined {
  const time = Date.parse(header(headers, name) ?? '');
  return Number.isNaN(time) ? undefined : time;
}
