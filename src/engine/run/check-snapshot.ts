import type { PublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import type { PageRecord } from '../../store/sets/stage.ts';

export type SnapshotCheck =
  | {
      readonly state: 'whole';
      readonly at: number;
      readonly expires: number | undefined;
      readonly pages: number;
    }
  | {
      readonly state: 'torn';
      readonly why: string;
      /** How many pages there seem to be. */
      readonly pages: number;
      /** Pages to read again. */
      readonly stale: readonly number[];
      /** ms: ESI holds the same inconsistent set until then; before, reading again gives the same and is not allowed. */
      readonly notBefore: number | undefined;
    };

/**
 * Whether staged pages are one whole set. All pages of a set show the same Last-Modified, the same page count, and all
 * but the last are equally long. Where the cache turned over in the middle, the pages of the older set are stale.
 */
export function checkSnapshot(records: readonly PageRecord[]): SnapshotCheck {
  const newest = Math.max(...records.map((r) => r.lastModified ?? 0));
  const fresh = records.filter((r) => (r.lastModified ?? 0) === newest);
  const expires = fresh.find((r) => r.expires !== undefined)?.expires;
  const old = records.filter((r) => (r.lastModified ?? 0) !== newest).map((r) => r.page);
  const torn = (why: string, stale: readonly number[], notBefore?: number): SnapshotCheck => ({
    state: 'torn',
    why,
    // The fewest that any page of the newest set speaks of: asking beyond the end costs an error for each page.
    pages: Math.max(1, Math.min(...fresh.map((r) => r.pages))),
    stale,
    notBefore,
  });
  const all = records.map((r) => r.page);
  if (old.length > 0) return torn(`${old.length} of ${records.length} pages are of an older set`, old);
  const counts = new Set(fresh.map((r) => r.pages));
  if (counts.size > 1)
    return torn(`pages disagree on how many there are (${[...counts].join(', ')})`, all, expires);
  const pages = fresh[0]?.pages ?? 0;
  const have = new Set(all);
  const missing = Array.from({ length: pages }, (_, i) => i + 1).filter((page) => !have.has(page));
  // Page 1 is read again as well: it says how many pages there are now. If it is the same set still, nothing else can
  // come before that expires.
  if (missing.length > 0) return torn(`${missing.length} of ${pages} pages are missing`, [1], expires);
  // Of pages that answered 304 the lengths are not at hand; they were right when they were published.
  const lengths = fresh.filter((r) => r.page < pages && !r.notModified).map((r) => r.rows + r.rejected);
  const full = Math.max(0, ...lengths);
  const short = lengths.filter((n) => n < full).length;
  if (short > 0) return torn(`${short} pages are shorter than the others: rows are missing`, all, expires);
  return { state: 'whole', at: newest, expires, pages };
}

/**
 * Pages that go backwards by id: each of them is cached by itself, and none is torn, since what moves to the next page
 * is known by its id. The first says how fresh the set is; the last was read when nothing new came any more. Where one
 * is missing, as after a crash of the database server, all are read again.
 */
export function checkBackwardsRead(records: readonly PageRecord[]): SnapshotCheck {
  const [first] = records;
  if (!first || records.some((record, index) => record.page !== index + 1))
    return {
      ...{ state: 'torn', why: 'a page of the list is missing', pages: 1, notBefore: undefined },
      stale: records.map((record) => record.page),
    };
  return { state: 'whole', at: first.lastModified ?? 0, expires: first.expires, pages: 1 };
}

/** A set this much smaller than the one before is a fault more often than the truth: no real turnover comes near. */
const COLLAPSE = 0.5;
/** Below this, half of the rows may well go within minutes. */
const SMALL = 1_000;
/** But no market of this many orders empties between two sets, and an empty list is how ESI fails most often. */
const SOME = 20;

/**
 * Why a whole set is not believed, or undefined. A mass loss (or an empty answer where many rows were) is believed
 * when a second, later set shows it too: one that lacks as many again is doubted anew. `rows` are those of the set.
 * `followed`: each row that goes is told as a change, so few are doubted as well.
 */
export function suspectLoss(
  counts: { before: number; gone: number; rows: number },
  at: number,
  previous: PublishedSnapshot | undefined,
  followed: boolean,
): string | undefined {
  const isEmpty = counts.gone === counts.before && counts.before >= SOME;
  const small = followed ? SOME : SMALL;
  if (!isEmpty && (counts.before < small || counts.gone < counts.before * COLLAPSE)) return undefined;
  const doubt = previous?.doubt;
  if (doubt && doubt.lastModified.getTime() < at && counts.rows >= doubt.rows * COLLAPSE) return undefined;
  return `${counts.gone} of ${counts.before} rows would be gone; that is believed when the next set shows it too.`;
}

/** One bad row in ten means that the answer, not the rows, is wrong. Two bad rows prove nothing. */
const REJECTED_SHARE = 0.1;
const REJECTED_LEAST = 3;

/** Why an answer with so many rows that failed validation is not believed, or undefined. */
export function suspectRejections(rows: number, rejected: number): string | undefined {
  if (rejected < REJECTED_LEAST || rejected <= (rows + rejected) * REJECTED_SHARE) return undefined;
  return `${rejected} of ${rows + rejected} rows failed validation; ESI may have changed its answer. See rejected_rows.`;
}
