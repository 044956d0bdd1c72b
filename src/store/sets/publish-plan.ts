import type { PublishedSnapshot } from './published-snapshots.ts';

/** A staged set as it is to be published. */
export interface PublishPlan {
  readonly runId: number;
  /** Last-Modified of the set: the moment it stands for. */
  readonly at: Date;
  readonly expires: Date | undefined;
  readonly pages: number;
  /** Pages that answered 304: their rows are taken from the set published last. */
  readonly notModified: readonly number[];
  /** Rows staged or carried over, rejected ones with a readable key included. */
  readonly rows: number;
  /** False: what is absent may still exist, nothing is removed. */
  readonly trustDeletions: boolean;
  readonly torn: string | undefined;
  readonly now: Date;
  /** Rows of the set that failed validation. */
  readonly rejected: number;
  /** Judges the counts before anything is written: why the set is not believed, or undefined. */
  readonly doubt: (counts: SetCounts, previous: PublishedSnapshot | undefined) => string | undefined;
}

export interface SetCounts {
  readonly before: number;
  readonly gone: number;
}

export type PublishResult =
  | {
      readonly state: 'published' | 'unchanged';
      readonly inserted: number;
      readonly changed: number;
      readonly removed: number;
    }
  /** A newer set stands already. */
  | { readonly state: 'superseded' }
  /** Rows name ids that no table knows yet. Nothing was written. */
  | { readonly state: 'unknown-ids' }
  /** Pages answered 304 to ETags of another set than stands now. Nothing was written. */
  | { readonly state: 'stale' }
  /** The run was closed, by a twin of this step or from outside. Nothing was written. */
  | { readonly state: 'closed' }
  /** A key stands twice in the set. Nothing was written. */
  | { readonly state: 'twice' }
  | { readonly state: 'doubted'; readonly why: string };

/** Ends the transaction of a publication with a result: nothing was written. */
export class Rollback extends Error {
  readonly result: PublishResult;
  constructor(result: PublishResult) {
    super('rolled back');
    this.result = result;
  }
}
