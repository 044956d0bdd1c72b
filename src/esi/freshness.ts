import { header, type Headers, numberHeader } from './classify-status.ts';
import { EsiError } from './esi-error.ts';

/** ESI holds nothing longer than a day; a later `Expires` is a fault, and believing it would end a series. */
const LONGEST_LIFE = 24 * 3_600_000;

/** Servers of one cluster may differ by so much; what was modified later than that has not happened yet. */
const AHEAD = 5 * 60_000;

/** The largest region had 411 pages in 2026; ten times that is a fault, and each page beyond the last costs an error. */
const MOST_PAGES = 4_000;

export interface Freshness {
  readonly lastModified: Date | undefined;
  /** On our clock: ESI's `Expires` less its `Date`, so that a clock gone wrong does not ask too early. */
  readonly expires: Date | undefined;
  readonly pages: number | undefined;
}

/** What the headers of an answer say of its age and extent. Throws EsiError (worth another try) at an absurd X-Pages. */
export function readFreshness(headers: Headers, now: number, path: string): Freshness {
  const theirs = dateHeader(headers, 'date');
  const end = dateHeader(headers, 'expires');
  const left = end === undefined ? undefined : end - (theirs ?? now);
  const modified = dateHeader(headers, 'last-modified');
  const isToCome = modified !== undefined && modified > (theirs ?? now) + AHEAD;
  return {
    // A set "modified" in the future would pass for newer than every later one.
    lastModified: modified === undefined || isToCome ? undefined : new Date(modified),
    expires: left === undefined ? undefined : new Date(now + Math.min(Math.max(0, left), LONGEST_LIFE)),
    pages: readPages(headers, path),
  };
}

function readPages(headers: Headers, path: string): number | undefined {
  const pages = numberHeader(headers, 'x-pages');
  if (pages === undefined || pages <= MOST_PAGES) return pages === 0 ? 1 : pages;
  throw new EsiError(`ESI speaks of ${pages} pages for ${path}; that is not believed.`, {
    code: 'ESI_BAD_SHAPE',
    verdict: 'retry',
  });
}

function dateHeader(headers: Headers, name: string): number | undefined {
  const text = header(headers, name);
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
