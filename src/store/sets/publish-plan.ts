import type { SuspectReason } from './published-snapshots.ts';
import type { StoredRow } from './stored-rows.ts';

/** When the loss of rows is suspect. The values are numbers of rows, and a share of the rows before. */
export interface LossGuard {
  /** Lists of fewer rows may lose any share of them. */
  readonly minRows: number;
  /** The loss of this share is suspect. A snapshot with at least this share of a suspect one's rows confirms it. */
  readonly share: number;
  /** The rows with each value of this column are guarded by themselves. */
  readonly within: string | undefined;
}

/** How a snapshot differs from the published one, besides the staged rows. */
export interface Comparison {
  /** The run of the published snapshot; 0 where there is none. */
  readonly publishedRun: number;
  /** Rows of the published snapshot. */
  readonly publishedRows: number;
  /** Keys of published rows that the snapshot does not show. */
  readonly absent: readonly bigint[];
}

/** Rows whose key came more than once, where rows are compared as they are read. */
export interface RepeatedRows {
  /** Rows too many that are as published. */
  readonly unchanged: number;
  /** Whether a staged row has the key of another row. */
  readonly isStaged: boolean;
  /** Keys of staged rows that a row on a later page, which is as published, supersedes. */
  readonly superseded: readonly bigint[];
}

/**
 * A row whose key could not be read may be any of those that seem absent, so nothing counts as gone. Such a row that comes in
 * each reading would keep all that are gone, so from the third reading in a row on the others are believed.
 */
export const KEYLESS_READINGS = 3;

/** A staged snapshot as it is to be published. */
export interface PublishPlan {
  readonly runId: number;
  /** Last-Modified of the snapshot: the moment that it shows. */
  readonly at: Date;
  readonly expires: Date | undefined;
  readonly pages: number;
  /** Pages that answered 304: their rows are those of the published snapshot. */
  readonly notModified: readonly number[];
  /** Where rows are compared as they are read: what they were compared with, and what is gone. */
  readonly compared: Comparison | undefined;
  /** Rows of all pages, with rejected rows whose key could be read. */
  readonly rows: number;
  /** Rows of all pages that passed validation. */
  readonly validRows: number;
  readonly rejected: number;
  /** Readings in a row, this one included, with rows whose key is not known. */
  readonly keylessReadings: number;
  /** False: absent rows may still exist, so nothing is deleted. */
  readonly trustDeletions: boolean;
  /** Why the snapshot is torn; undefined when it is complete. */
  readonly torn: string | undefined;
  /** What the snapshot gives reason to doubt, and an earlier one gave as well. */
  readonly believed: readonly SuspectReason[];
  /** Rows that came more than once; undefined where that is not known before they are merged. */
  readonly repeated: RepeatedRows | undefined;
  /** What the run has to say besides its outcome. */
  readonly note: string | undefined;
  readonly lossGuard: LossGuard;
  readonly now: Date;
}

/** What a publication did, in rows. `rows` is the size of the published snapshot. */
export interface Merged {
  readonly state: 'published' | 'unchanged';
  readonly inserted: number;
  readonly changed: number;
  readonly removed: number;
  readonly rows: number;
  /** The rows that were inserted or updated, where they are compared; undefined for a first snapshot: all of them. */
  readonly stored?: readonly StoredRow[] | undefined;
  /** Staged rows too many, which had the key of another row. */
  readonly repeated?: number;
  /** What the run has to say besides its outcome. */
  readonly note?: string | undefined;
}

/** Why nothing was written. */
export type NotPublished =
  /** A newer snapshot is published already. */
  | { readonly state: 'superseded' }
  /** Pages were compared with, or answered 304 to ETags of, another snapshot than the published one. */
  | { readonly state: 'stale' }
  /** The run was closed, by a concurrent execution of this step or from outside. */
  | { readonly state: 'closed' }
  /** The rows lack what other routes have to say of them. */
  | { readonly state: 'not-enriched' }
  /** Two different rows have the same key. */
  | { readonly state: 'duplicate-key' }
  /** So many rows are absent that a second snapshot has to confirm it. */
  | { readonly state: 'suspect'; readonly reason: string };

export type PublishResult = Merged | NotPublished;

/** Whether anything was written. */
export const isMerged = (result: PublishResult): result is Merged =>
  result.state === 'published' || result.state === 'unchanged';
