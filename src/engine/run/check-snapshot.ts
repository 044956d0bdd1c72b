import type { LossGuard } from '../../store/sets/publish-plan.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import type { PageRecord } from '../../store/sets/stage.ts';

/** Whether staged pages are one complete snapshot. */
export type SnapshotCheck =
  | {
      readonly state: 'complete';
      readonly at: number;
      readonly expires: number | undefined;
      readonly pages: number;
    }
  | {
      readonly state: 'torn';
      readonly reason: string;
      /** How many pages there seem to be. */
      readonly pages: number;
      /** Pages to read again. */
      readonly stale: readonly number[];
      /** Milliseconds: ESI serves the same inconsistent pages until then, and reading them again before is not allowed. */
      readonly notBefore: number | undefined;
    };

/**
 * The moment that pages show: their newest Last-Modified. Where no answer stated one, now counts, in whole seconds like ESI's
 * own.
 */
export function newestMoment(records: readonly PageRecord[], now: number): number {
  const known = records.flatMap(({ lastModified }) => lastModified ?? []);
  return known.length > 0 ? Math.max(...known) : Math.floor(now / 1_000) * 1_000;
}

/**
 * Checks pages that are numbered. All pages of a snapshot have the same Last-Modified and the same page count. Where ESI's
 * cache turned over in between, the pages of the older snapshot are stale. A page without Last-Modified may be of any.
 */
export function checkSnapshot(records: readonly PageRecord[], now: number): SnapshotCheck {
  const newest = newestMoment(records, now);
  const isFresh = ({ lastModified = newest }: PageRecord) => lastModified === newest;
  const fresh = records.filter(isFresh);
  const stale = records.filter((record) => !isFresh(record));
  const expires = fresh.find((record) => record.expires !== undefined)?.expires;
  const torn = (reason: string, stale: readonly number[], notBefore?: number): SnapshotCheck => ({
    state: 'torn',
    reason,
    // The smallest count that a fresh page states, because each request beyond the end costs an error.
    pages: Math.max(1, Math.min(...fresh.map((record) => record.pages))),
    stale,
    notBefore,
  });
  const all = records.map(({ page }) => page);
  if (stale.length > 0)
    return torn(
      `${stale.length} of ${records.length} pages are of an older snapshot`,
      stale.map(({ page }) => page),
    );
  const counts = new Set(fresh.map((record) => record.pages));
  if (counts.size > 1)
    return torn(`pages state different page counts (${[...counts].join(', ')})`, all, expires);
  const pages = fresh[0]?.pages ?? 0;
  const present = new Set(all);
  const missing = Array.from({ length: pages }, (_, i) => i + 1).filter((page) => !present.has(page));
  // Page 1 is read again as well, because it states how many pages there are now. If it is of the same snapshot, nothing
  // else can come before that expires.
  if (missing.length > 0) return torn(`${missing.length} of ${pages} pages are missing`, [1], expires);
  return { state: 'complete', at: newest, expires, pages };
}

/**
 * Pages before the last one that are shorter than the others: rows may be missing. Pages that answered 304 were right when
 * they were published. `counted` has their rows as well.
 */
export function findShortPages(records: readonly PageRecord[], counted: readonly PageRecord[]): number[] {
  const last = Math.max(...records.map(({ page }) => page));
  const length = (record: PageRecord) => record.rows + record.rejected;
  const full = Math.max(0, ...counted.filter(({ page }) => page < last).map(length));
  return records
    .filter((record) => record.page < last && !record.notModified && length(record) < full)
    .map(({ page }) => page);
}

/**
 * Checks pages that go backwards by id. Each is cached by itself and none is torn, because a row that moves to the next
 * page is known by its id. The first page states how fresh the list is; the last one brought nothing new. Where a page is
 * missing, as after a crash of the database server, all are read again. `failure`: why the page after the last one failed.
 */
export function checkBackwardsRead(
  records: readonly PageRecord[],
  failure: string | undefined,
  now: number,
): SnapshotCheck {
  const [first] = records;
  const torn = (reason: string): SnapshotCheck => ({
    state: 'torn',
    reason,
    pages: 1,
    stale: records.map(({ page }) => page),
    notBefore: undefined,
  });
  if (!first || records.some((record, index) => record.page !== index + 1))
    return torn('a page of the list is missing');
  if (failure !== undefined) return torn('the older pages are missing');
  return { state: 'complete', at: newestMoment([first], now), expires: first.expires, pages: 1 };
}

/**
 * Whether every change of an item is recorded. Of an incomplete snapshot nothing is published then, since what it lacks
 * would be recorded as a change.
 */
export const recordsChanges = ({ change }: SnapshotSpec): boolean =>
  change.policy === 'snapshot' && change.diffs !== undefined;

/** A snapshot of half the rows is a fault more often than the truth: no real turnover comes near. */
const SUSPECT_SHARE = 0.5;
/** Of fewer rows half may well go within minutes. */
const MIN_ROWS = 20;

/** Whether so many rows are missing that the next snapshot has to confirm it. */
export const isSuddenLoss = (absent: number, before: number): boolean =>
  before >= MIN_ROWS && absent >= before * SUSPECT_SHARE;

/** Why a run refuses a snapshot, with what a person can do. */
export const refusalDetail = (cause: string, runId: number): string =>
  `${cause.replace(/\.?$/, '.')} "eve-collector accept ${runId}" lets the next snapshot be believed in any case.`;

/** When the loss of rows has to be confirmed. */
export const lossGuardOf = ({ change }: SnapshotSpec): LossGuard => ({
  minRows: MIN_ROWS,
  share: SUSPECT_SHARE,
  within: change.policy === 'snapshot' ? change.guardWithin : undefined,
});

/** One bad row in ten means that the answer is wrong, not its rows. In a short list ten are seen at a glance. */
const REJECTED_SHARE = 0.1;
const MIN_REJECTED = 20;

/** Why the next answer has to confirm so many invalid rows, or undefined. */
export function suspectRejections(valid: number, rejected: number): string | undefined {
  const rows = valid + rejected;
  if (rejected < MIN_REJECTED || rejected <= rows * REJECTED_SHARE) return undefined;
  return `${rejected} of ${rows} rows failed validation; ESI may have changed its answer. See rejected_rows.`;
}
