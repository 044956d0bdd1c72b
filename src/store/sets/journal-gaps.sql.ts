import { columnList } from '../sql-fragments.ts';
import { isOfTarget, type SnapshotSpec } from './snapshot-spec.ts';

/**
 * ISK. Balances and amounts of more than two decimals are rounded each by itself; three of them err by 0.015. ESI's balances
 * are doubles, each of which errs by up to 2^-52 of itself.
 */
const tolerance = (...balances: string[]): string =>
  `0.02 + 2 * greatest(${balances.map((balance) => `abs(${balance})`).join(', ')}) / ${2 ** 52}`;

/**
 * Finds the gaps of a journal by its running balance, ids being in the order of time. Gaps are computed again from the
 * row before the oldest new one, so that a gap that was filled later is deleted; an unchanged gap keeps when it was
 * found. $1 of the second statement is now.
 */
export function findJournalGaps(spec: SnapshotSpec): {
  readonly deleteFilled: string;
  readonly insertNew: string;
} {
  const columns = spec.targetColumns.map(([column]) => column);
  const values = spec.targetColumns.map(([, value]) => value);
  const ofWallet = isOfTarget(spec, 'j');
  const from = `(SELECT coalesce(max(j.journal_id), 0) FROM wallet_journal j
                  WHERE ${ofWallet} AND j.journal_id < (SELECT min(journal_id) FROM diff))`;
  const gaps = `(SELECT * FROM (
       SELECT j.journal_id, j.date, lag(j.journal_id) OVER w AS last_id, lag(j.date) OVER w AS last_date,
              j.balance, lag(j.balance) OVER w AS last_balance,
              j.balance - j.amount - lag(j.balance) OVER w AS missing
         FROM wallet_journal j WHERE ${ofWallet} AND j.journal_id >= ${from}
       WINDOW w AS (ORDER BY j.journal_id)) steps WHERE abs(missing) >= ${tolerance('balance', 'last_balance')})`;
  return {
    deleteFilled: `WITH g AS ${gaps}
     DELETE FROM wallet_journal_gaps j
      WHERE ${ofWallet} AND j.before_journal_id > ${from}
        AND NOT EXISTS (SELECT FROM g WHERE g.journal_id = j.before_journal_id
                           AND g.last_id = j.after_journal_id AND g.missing = j.missing_amount)`,
    insertNew: `INSERT INTO wallet_journal_gaps (${columnList(columns)}, after_journal_id, before_journal_id, after_date, before_date,
            missing_amount, found_at)
     SELECT ${values.join(', ')}, g.last_id, g.journal_id, g.last_date, g.date, g.missing, $1
       FROM ${gaps} g ON CONFLICT DO NOTHING`,
  };
}
