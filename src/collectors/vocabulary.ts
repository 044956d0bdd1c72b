import type { Route } from '../esi/facts/routes.ts';

/**
 * What happens to the table when a snapshot is published:
 * `snapshot`: the answer is all there is for its target. New rows are inserted, changed rows updated, absent rows deleted.
 *   Where `versions` names a table, superseded versions go there with `valid_from`, `valid_to` and `ended_by`.
 * `changes`: a row is inserted whenever it differs from the newest row of its key.
 * `daily`: one row per key and UTC day of the snapshot; a later snapshot of the same day corrects it.
 * `append`: rows never change. Rows with a new key are inserted, nothing is deleted.
 * `upsert`: new rows are inserted, changed rows updated, absent rows stay.
 */
export type Change<C extends string> =
  | {
      readonly policy: 'snapshot';
      readonly versions?: string;
      /** A loss of half the rows with one value of this column is confirmed by a second snapshot before it is believed. */
      readonly guardWithin?: C;
      /** `ended_by` is the first of these reasons whose column differs, else `changed`; `closed` when the row is absent. */
      readonly endedBy?: readonly (readonly [reason: string, column: C])[];
      /** Each change of an item is recorded in `asset_diffs` with the item as it was before. */
      readonly diffs?: 'asset_diffs';
      /** Absent rows stay in the table with `left_at`; the snapshot lists only the rows in one state. */
      readonly openList?: OpenList;
    }
  | { readonly policy: 'changes' }
  | { readonly policy: 'daily' }
  | { readonly policy: 'append' }
  | { readonly policy: 'upsert'; readonly inferClosed?: InferClosed };

/** A list of the rows in one state, which rows leave without leaving the table. */
export interface OpenList {
  readonly state: string;
  /** States that we inferred, and that end when the row is listed again. Any other state is an end that ESI stated. */
  readonly inferred: readonly string[];
  /** Milliseconds: how far back ESI lists ended rows. A row that left the list within a longer silence becomes `unknown`. */
  readonly historyWindow: number;
}

/**
 * Rows in state `from` that left the list of the resource `openList`, are still absent from a later snapshot of that list
 * (one absence proves nothing), and are not in this snapshot either, get the state `to`.
 */
export interface InferClosed {
  readonly from: string;
  readonly to: string;
  readonly openList: string;
}

/**
 * What a column refers to. An unknown id is fetched, or replaced by a placeholder row, before the row is published.
 * `asset-locations`: where an asset lies, which is a station, a structure, another asset of the snapshot, or unknowable.
 */
export type ReferenceKind = 'types' | 'systems' | 'locations' | 'asset-locations';

/** Series that are derived from the published rows. */
export type Series = 'market_type_series' | 'wallet_journal_gaps';

/**
 * Columns that another route fills for some rows of a snapshot, requested in batches of up to 1000 ids.
 * `name`: of assembled ships and containers. `position`: of what floats in a system outside any station.
 */
export interface Enrichment {
  readonly kind: 'name' | 'position';
  readonly route: Route;
}

/** The columns that each kind of enrichment fills. */
export const ENRICHED_COLUMNS: Readonly<Record<Enrichment['kind'], readonly string[]>> = {
  name: ['name'],
  position: ['position_x', 'position_y', 'position_z'],
};
