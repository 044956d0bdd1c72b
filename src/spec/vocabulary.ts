/**
 * What happens to the table when a set is published:
 * `snapshot`: the answer is all there is `within` its target. New rows are added, changed ones replaced, absent ones
 *   removed, and each superseded version goes to the table `versions` with `valid_from`, `valid_to`, `ended_by`.
 * `changes`: a row is added whenever it differs from the newest row of its key.
 */
export type Change<C extends string> =
  | {
      readonly policy: 'snapshot';
      readonly within: readonly string[];
      readonly versions: string;
      /** Names what ended a version by the first of these columns that differs, else `changed`; `closed` when absent. */
      readonly endedBy: readonly (readonly [reason: string, column: C])[];
    }
  | { readonly policy: 'changes' };

/** Static tables that a column of a row names; an unknown id is fetched before the row is published. */
export type Lookup = 'types' | 'systems' | 'locations';

/** Series that are derived from published rows. */
export type Series = 'market_type_series';
