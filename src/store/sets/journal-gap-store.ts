import type { ExactInt } from '../../lib/exact-int.ts';
import type { Queryable } from '../database.ts';

/** A gap of a wallet's journal, for people: rows are missing between two that are stored. */
export interface JournalGap {
  readonly id: number;
  /** `character/90000001`. */
  readonly target: string;
  /** The owner's name; empty while it is unknown. */
  readonly owner: string;
  /** Of a corporation's wallet. */
  readonly division: number | null;
  readonly afterJournalId: ExactInt;
  readonly beforeJournalId: ExactInt;
  readonly afterDate: string;
  readonly beforeDate: string;
  /** ISK that the missing rows come to, with two decimals. */
  readonly missingAmount: string;
  readonly foundAt: string;
}

/** More gaps than a person reads; the count tells them all. */
const MAX_GAPS = 1_000;

const IS_OPEN = 'accepted_at IS NULL';

/** The gaps that nobody has accepted, newest first. */
export async function readOpenGaps(db: Queryable): Promise<JournalGap[]> {
  const { rows } = await db.query<
    Omit<JournalGap, 'afterDate' | 'beforeDate' | 'foundAt'> & {
      afterDate: Date;
      beforeDate: Date;
      foundAt: Date;
    }
  >(
    `SELECT g.id, coalesce('character/' || g.character_id, 'corporation/' || g.corporation_id) AS target,
            coalesce(c.name, k.name, '') AS owner, g.division, g.after_journal_id AS "afterJournalId",
            g.before_journal_id AS "beforeJournalId", g.after_date AS "afterDate", g.before_date AS "beforeDate",
            g.missing_amount::text AS "missingAmount", g.found_at AS "foundAt"
       FROM wallet_journal_gaps g LEFT JOIN characters c USING (character_id)
       LEFT JOIN corporations k ON k.corporation_id = g.corporation_id
      WHERE g.${IS_OPEN} ORDER BY g.before_date DESC, g.id LIMIT ${MAX_GAPS}`,
  );
  return rows.map(({ afterDate, beforeDate, foundAt, ...gap }) => ({
    ...gap,
    afterDate: afterDate.toISOString(),
    beforeDate: beforeDate.toISOString(),
    foundAt: foundAt.toISOString(),
  }));
}

/** The number of gaps that nobody has accepted. */
export async function countOpenGaps(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*) AS count FROM wallet_journal_gaps WHERE ${IS_OPEN}`,
  );
  return rows[0]!.count;
}

/** Accepts gaps. Returns the ids that exist, also those that were accepted before. */
export async function acceptGaps(db: Queryable, ids: readonly number[], now: Date): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `UPDATE wallet_journal_gaps SET accepted_at = coalesce(accepted_at, $2) WHERE id = ANY($1) RETURNING id`,
    [ids, now],
  );
  return rows.map(({ id }) => id);
}
