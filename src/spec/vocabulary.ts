/**
 * What happens to the table when a set is published:
 * `snapshot`: the answer is all there is for its target. New rows are added, changed ones replaced, absent ones removed,
 *   and where `versions` names a table each superseded version goes there with `valid_from`, `valid_to`, `ended_by`.
 * `changes`: a row is added whenever it differs from the newest row of its key.
 * `daily`: one row per key and day of the set's moment; a later set of the same day corrects it.
 */
export type Change<C extends string> =
  | {
      readonly policy: 'snapshot';
      readonly versions?: string;
      /** Names what ended a version by the first of these columns that differs, else `changed`; `closed` when absent. */
      readonly endedBy?: readonly (readonly [reason: string, column: C])[];
    }
  | { readonly policy: 'changes' }
  | { readonly policy: 'daily' };

/** Static tables that a column of a row names; an unknown id is fetched before the row is published. */
export type Lookup = 'types' | 'systems' | 'locations';

/** Series that are derived from published rows. */
export type Series = 'market_type_series';
