import type { Database } from '../database.ts';

/** How far the open runs of a collector are: in pages, or in requests of a run with a list of its own. */
export interface RunProgress {
  readonly target: string;
  readonly done: number;
  readonly total: number;
}

/** The open runs of a collector, all targets or the given ones. */
export async function readProgress(
  db: Pick<Database, 'pool'>,
  collector: string,
  targets: readonly string[],
): Promise<RunProgress[]> {
  const { rows } = await db.pool.query<RunProgress>(
    `SELECT r.target, coalesce(r.progress_done, count(p.page)) AS done,
            coalesce(r.progress_total, max(p.pages), 0) AS total
       FROM collection_runs r LEFT JOIN stage.pages p USING (run_id)
      WHERE r.collector = $1 AND r.finished_at IS NULL AND (cardinality($2::text[]) = 0 OR r.target = ANY($2))
      GROUP BY r.run_id, r.target ORDER BY r.target`,
    [collector, targets],
  );
  return rows;
}
