import type { Database, Queryable } from '../database.ts';

/** The progress of an open run: in pages, or in requests where a run works through a list of its own. */
export interface RunProgress {
  readonly target: string;
  readonly done: number;
  readonly total: number;
}

/** The progress of a collector's open runs: those of the given targets, or all. */
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

/** Writes the progress of an open run that works through a list of its own. */
export async function writeProgress(
  db: Queryable,
  runId: number,
  { done, total }: Pick<RunProgress, 'done' | 'total'>,
): Promise<void> {
  await db.query('UPDATE collection_runs SET progress_done = $2, progress_total = $3 WHERE run_id = $1', [
    runId,
    done,
    total,
  ]);
}
