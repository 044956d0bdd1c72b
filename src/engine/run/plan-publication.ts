import { MINUTE } from '../../lib/duration.ts';
import { KEYLESS_READINGS, type PublishPlan } from '../../store/sets/publish-plan.ts';
import {
  isConfirmed,
  type PublishedSnapshot,
  type SuspectReason,
} from '../../store/sets/published-snapshots.ts';
import { MAX_STORED_PER_PAGE } from '../../store/sets/rejected-rows.ts';
import { type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import type { KeyComparison } from '../compare/compare-keys.ts';
import {
  findShortPages,
  lossGuardOf,
  newestMoment,
  type SnapshotCheck,
  suspectRejections,
} from './check-snapshot.ts';
import { pagesBackwards } from './resources.ts';
import type { RunContext } from './run-context.ts';

/** What gives reason to doubt a snapshot that is whole by its headers. */
export interface Doubt {
  readonly reason: SuspectReason;
  /** In words. */
  readonly detail: string;
}

/** A snapshot as it is to be published, and what first has to be confirmed by a later one. */
export interface Publication {
  readonly plan: PublishPlan;
  readonly doubts: readonly Doubt[];
}

/** Milliseconds that ESI's clock and ours may differ by. */
const MAX_CLOCK_SKEW = 5 * MINUTE;

/**
 * The moment that a snapshot shows. Where the published one lies in the future, because a clock was wrong, the next one
 * follows it at once: otherwise nothing would be published until then.
 */
export function momentOf(lastModified: number, previous: PublishedSnapshot | undefined, now: number): number {
  const published = previous?.lastModified?.getTime() ?? 0;
  const isFuture = published > now + MAX_CLOCK_SKEW;
  return isFuture && lastModified <= published ? published + 1_000 : lastModified;
}

/** Plans the publication of the staged pages. `keys`: undefined where rows are not compared as they are read. */
export async function planPublication(
  { engine, run, spec, resource, previous }: RunContext,
  records: readonly PageRecord[],
  check: SnapshotCheck,
  keys: KeyComparison | undefined,
): Promise<Publication> {
  const now = engine.clock.now();
  const complete = check.state === 'complete' ? check : undefined;
  const lastModified = complete?.at ?? newestMoment(records, now);
  const expires = complete?.expires ?? expiryOf(records, lastModified);
  const notModified = records.filter((record) => record.notModified).map(({ page }) => page);
  // Pages that answered 304 have the counts that they have in the published snapshot.
  const carried =
    notModified.length > 0 && previous ? await readPageRecords(engine.db.pool, previous.runId) : [];
  const counted = [...records, ...carried.filter(({ page }) => notModified.includes(page))];
  const sum = (count: (record: PageRecord) => number) =>
    counted.reduce((total, record) => total + count(record), 0);
  const torn = check.state === 'torn' ? check.reason : undefined;
  const validRows = sum((record) => record.rows);
  const rejected = sum((record) => record.rejected);
  const keyless = sum((record) => record.keyless);
  const keylessReadings = countKeylessReadings(counted, previous);
  const short = pagesBackwards(resource) ? [] : findShortPages(records, counted);
  const at = new Date(momentOf(lastModified, previous, now));
  const found = torn === undefined ? findDoubts({ short, keys, validRows, rejected }) : [];
  const believed = found.filter(({ reason }) => isConfirmed(reason, at, previous));
  return {
    plan: {
      runId: run.runId,
      at,
      expires: expires === undefined ? undefined : new Date(expires),
      pages: check.pages,
      notModified,
      compared: keys?.compared,
      rows: validRows + rejected - keyless,
      validRows,
      rejected,
      keylessReadings,
      trustDeletions: torn === undefined && (keyless === 0 || keylessReadings >= KEYLESS_READINGS),
      torn,
      believed: believed.map(({ reason }) => reason),
      repeated: keys?.repeated,
      note: noteOf(believed, at.getTime() !== lastModified),
      lossGuard: lossGuardOf(spec),
      now: new Date(now),
    },
    doubts: found.filter((doubt) => !believed.includes(doubt)),
  };
}

/** When the pages of a torn snapshot expire that are of this moment. */
const expiryOf = (records: readonly PageRecord[], moment: number): number | undefined =>
  records.find(({ lastModified = moment, expires }) => lastModified === moment && expires !== undefined)
    ?.expires;

/** Readings in a row, this one included, with rows whose key is not known. */
function countKeylessReadings(
  records: readonly PageRecord[],
  previous: PublishedSnapshot | undefined,
): number {
  // Of a page with more rejected rows than are stored, not all keys are known later.
  const isKeyless = records.some(({ keyless, rejected }) => keyless > 0 || rejected > MAX_STORED_PER_PAGE);
  return isKeyless ? (previous?.keylessReadings ?? 0) + 1 : 0;
}

/** What a snapshot that seems whole gives reason to doubt. */
function findDoubts(of: {
  readonly short: readonly number[];
  readonly keys: KeyComparison | undefined;
  readonly validRows: number;
  readonly rejected: number;
}): Doubt[] {
  const doubts: Doubt[] = [];
  if (of.short.length > 0)
    doubts.push({
      reason: 'short-page',
      detail: `rows may be missing, because pages are shorter than the others: ${of.short.join(', ')}`,
    });
  if (of.keys && of.keys.conflicts > 0) doubts.push({ reason: 'repeated-key', detail: repeatedKeyDetail });
  const rejections = suspectRejections(of.validRows, of.rejected);
  if (rejections !== undefined) doubts.push({ reason: 'rejected-rows', detail: rejections });
  return doubts;
}

/** What two different rows of one key give reason to doubt, in words. */
export const repeatedKeyDetail = 'two different rows have the same key';

function noteOf(believed: readonly Doubt[], isMoved: boolean): string | undefined {
  const notes = believed.map(
    ({ detail }) => `Believed, because the snapshot before gave the same: ${detail}.`,
  );
  if (isMoved)
    notes.push(
      'The published snapshot lies in the future, because a clock was wrong; this one follows it at once.',
    );
  return notes.length === 0 ? undefined : notes.join(' ');
}
