import type { Queryable } from '../database.ts';

/** A run as the API returns it. */
export interface RunRow {
  readonly runId: number;
  readonly collector: string;
  readonly target: string;
  /** Which of the routes that the collector reads for a target; empty where it reads one. */
  readonly resource: string;
  readonly workflowId: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** Null while it runs. */
  readonly outcome: string | null;
  readonly pages: number;
  readonly rowsRead: number;
  readonly rowsInserted: number;
  readonly rowsChanged: number;
  readonly rowsRemoved: number;
  readonly rowsRejected: number;
  readonly requests: number;
  readonly lastModified: Date | null;
  readonly error: string | null;
  /** What the run has to say besides its outcome. */
  readonly note: string | null;
}

/** The newest runs first, optionally of one collector or target. */
export async function listRuns(
  db: Queryable,
  {
    collector,
    target,
    limit,
  }: { collector?: string | undefined; target?: string | undefined; limit: number },
): Promise<RunRow[]> {
  const { rows } = await db.query<RunRow>(
    `SELECT run_id AS "runId", collector, target, resource, workflow_id AS "workflowId", started_at AS "startedAt",
            finished_at AS "finishedAt", outcome, pages, rows_read AS "rowsRead", rows_inserted AS "rowsInserted",
            rows_changed AS "rowsChanged", rows_removed AS "rowsRemoved", rows_rejected AS "rowsRejected", requests,
            last_modified AS "lastModified", error, note
       FROM collection_runs
      WHERE ($1::text IS NULL OR collector = $1) AND ($2::text IS NULL OR target = $2)
      ORDER BY run_id DESC LIMIT $3`,
    [collector ?? null, target ?? null, limit],
  );
  return rows;
}
