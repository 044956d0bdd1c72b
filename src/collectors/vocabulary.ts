import type { Route } from '../esi/facts/routes.ts';

/**
 * What happens to the table when a set is published:
 * `snapshot`: the answer is all there is for its target. New rows are added, changed ones replaced, absent ones removed,
 *   and where `versions` names a table each superseded version goes there with `valid_from`, `valid_to`, `ended_by`.
 * `changes`: a row is added whenever it differs from the newest row of its key.
 * `daily`: one row per key and day of the set's moment; a later set of the same day corrects it.
 * `append`: rows never change: those whose key is new are added, nothing is removed.
 * `upsert`: new rows are added, changed ones replaced, absent ones stay as they were.
 */
export type Change<C extends string> =
  | {
      readonly policy: 'snapshot';
      readonly versions?: string;
      /** Names what ended a version by the first of these columns that differs, else `changed`; `closed` when absent. */
      readonly endedBy?: readonly (readonly [reason: string, column: C])[];
      /** Each change of an item goes to `asset_diffs`, with the item as it was before. */
      readonly diffs?: 'asset_diffs';
      /** An absent row stays: `left_at` says since when it is gone. The set is about rows in this state alone. */
      readonly leaves?: OpenList;
    }
  | { readonly policy: 'changes' }
  | { readonly policy: 'daily' }
  | { readonly policy: 'append' }
  | {
      readonly policy: 'upsert';
      /**
       * Rows that left the list of the part `listedBy` before the moment of this set, are still absent from a later one
       * of that list (one absence proves nothing), and are not in this set either, are in the state `to`.
       */
      readonly settles?: { readonly from: string; readonly to: string; readonly listedBy: string };
    };

/** A list of rows in one state, which they leave without going from the table. */
export interface OpenList {
  readonly state: string;
  /** States that we inferred, and that end when the row is listed again. Any other state is an end that ESI told. */
  readonly inferred: readonly string[];
  /** ms: after a longer silence the list of what has ended does not tell of all that left; that is `unknown`. */
  readonly toldFor: number;
}

/**
 * Tables that a column of a row names; an unknown id is fetched, or stood in for, before the row is published.
 * `places`: where an asset lies, be it a station, a structure, another asset of the set, or nothing that can be known.
 */
export type ReferenceKind = 'types' | 'systems' | 'locations' | 'places';

/** What is derived from published rows. */
export type Series = 'market_type_series' | 'wallet_journal_gaps';

/**
 * Columns that a route fills for some rows of a set, asked in batches of up to 1000 ids.
 * `nameable`: ships and containers that are unpacked. `in-space`: what lies in a system outside any station.
 */
export interface Enrichment {
  readonly route: Route;
  readonly rows: 'nameable' | 'in-space';
  readonly fills: 'name' | 'position';
}

/** Columns that a detail fills. */
export const ENRICHED_COLUMNS: Readonly<Record<Enrichment['fills'], readonly string[]>> = {
  name: ['name'],
  position: ['position_x', 'position_y', 'position_z'],
};
