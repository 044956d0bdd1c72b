import type { ClientBase, Pool } from 'pg';
import type { ResourceKey } from './snapshot-spec.ts';

export type Outcome = 'published' | 'unchanged' | 'torn' | 'refused' | 'failed';

export interface RunKey extends ResourceKey {
  readonly workflowId: string | undefined;
  readonly workflowRunId: string | undefined;
}

/** What a run did, in rows, as `collection_runs` keeps it. */
export interface RunResult {
  readonly outcome: Outcome;
  readonly inserted?: number;
  readonly changed?: number;
  readonly removed?: number;
  readonly lastModified?: Date | undefined;
  readonly expires?: Date | undefined;
  readonly error?: string | undefined;
}

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Opens the run of a workflow, or finds it again: an activity that is repeated gets the same number. */
export async function openRun(db: Queryable, key: RunKey, now: Date): Promise<number> {
  const { rows } = await db.query<{ run_id: number }>(
    `INSERT INTO collection_runs (collector, target, workflow_id, workflow_run_id, started_at, part)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (workflow_run_id, part) DO UPDATE SET workflow_run_id = excluded.workflow_run_id
     RETURNING run_id`,
    [key.collector, key.target, key.workflowId ?? null, key.workflowRunId ?? null, now, key.part ?? ''],
  );
  return rows[0]!.run_id;
}

/**
 * Closes the runs of a target that nobody will finish: a workflow id has one run at a time, so whatever the same id
 * left open before this run was killed. Of the last three days: older ones `maintain` has closed.
 */
export async function closeAbandoned(db: Queryable, key: RunKey, runId: number, now: Date): Promise<void> {
  if (key.workflowId === undefined) return;
  await db.query(
    `UPDATE collection_runs SET finished_at = $5, outcome = 'failed', error = 'The run was ended from outside.'
      WHERE collector = $1 AND target = $2 AND part = $6 AND workflow_id = $3 AND run_id < $4 AND finished_at IS NULL
        AND started_at > $5::timestamptz - interval '3 days'`,
    [key.collector, key.target, key.workflowId, runId, now, key.part ?? ''],
  );
}

/** Closes a run with what it did. False when it is closed already, and stays as it is. */
export async function closeRun(db: Queryable, runId: number, result: RunResult, now: Date): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE collection_runs r
        SET finished_at = $2, outcome = $3, rows_inserted = r.rows_inserted + $4, rows_changed = r.rows_changed + $5, rows_removed = $6,
            last_modified = $7, expires = $8, error = $9, pages = greatest(r.pages, s.pages),
            rows_read = r.rows_read + s.rows + s.rejected, rows_rejected = r.rows_rejected + s.rejected,
            requests = r.requests + s.requests, not_modified = s.not_modified
       FROM (SELECT coalesce(max(pages), 0) AS pages, coalesce(sum(rows), 0) AS rows,
                    coalesce(sum(rejected), 0) AS rejected, coalesce(sum(requests), 0) AS requests,
                    count(*) FILTER (WHERE not_modified) AS not_modified
               FROM stage.pages WHERE run_id = $1) s
      WHERE r.run_id = $1 AND r.finished_at IS NULL`,
    [
      runId,
      now,
      result.outcome,
      result.inserted ?? 0,
      result.changed ?? 0,
      result.removed ?? 0,
      result.lastModified ?? null,
      result.expires ?? null,
      result.error ?? null,
    ],
  );
  return rowCount === 1;
}

/** The runs that a workflow run opened and nobody has closed; of one part, where the key names it. */
export async function findOpenRuns(db: Queryable, key: RunKey): Promise<{ runId: number; part: string }[]> {
  const { rows } = await db.query<{ run_id: number; part: string }>(
    `SELECT run_id, part FROM collection_runs
      WHERE workflow_run_id = $1 AND finished_at IS NULL AND part = coalesce($2, part)`,
    [key.workflowRunId ?? null, key.part ?? null],
  );
  return rows.map(({ run_id: runId, part }) => ({ runId, part }));
}

/** Takes back the open run of a part that nothing was read for. False where something was. */
export async function forgetRun(db: Queryable, key: RunKey): Promise<boolean> {
  const { rows } = await db.query(
    `DELETE FROM collection_runs r
      WHERE workflow_run_id = $1 AND part = $2 AND finished_at IS NULL
        AND NOT EXISTS (SELECT FROM stage.pages p WHERE p.run_id = r.run_id)
     RETURNING run_id`,
    [key.workflowRunId ?? null, key.part ?? ''],
  );
  return rows.length > 0;
}

/** When a run was opened. */
export async function readRunStart(db: Queryable, runId: number): Promise<Date> {
  const { rows } = await db.query<{ started_at: Date }>(
    `SELECT started_at FROM collection_runs WHERE run_id = $1`,
    [runId],
  );
  return rows[0]!.started_at;
}

/** Notes how old the source is and how long it holds, for a run of many steps that is closed by a later one. */
export async function recordSourceAge(
  db: Queryable,
  runId: number,
  age: { lastModified: Date | undefined; expires: Date | undefined },
): Promise<void> {
  await db.query(`UPDATE collection_runs SET last_modified = $2, expires = $3 WHERE run_id = $1`, [
    runId,
    age.lastModified ?? null,
    age.expires ?? null,
  ]);
}

export async function readSourceAge(
  db: Queryable,
  runId: number,
): Promise<{ lastModified: Date | undefined; expires: Date | undefined }> {
  const { rows } = await db.query<{ last_modified: Date | null; expires: Date | null }>(
    `SELECT last_modified, expires FROM collection_runs WHERE run_id = $1`,
    [runId],
  );
  return { lastModified: rows[0]?.last_modified ?? undefined, expires: rows[0]?.expires ?? undefined };
}

/** Adds requests that brought no page: failed ones, and those of pages read a second time. */
export async function countRequests(db: Queryable, runId: number, requests: number): Promise<void> {
  if (requests === 0) return;
  await db.query(`UPDATE collection_runs SET requests = requests + $2 WHERE run_id = $1`, [runId, requests]);
}

/** What the run of a workflow run did, when it is closed already: a step that is repeated says the same again. */
export async function findRunResult(
  db: Queryable,
  key: RunKey,
): Promise<(NonNullable<Awaited<ReturnType<typeof readRunResult>>> & { runId: number }) | undefined> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT run_id FROM collection_runs WHERE workflow_run_id = $1 AND part = $2 AND finished_at IS NOT NULL`,
    [key.workflowRunId ?? null, key.part ?? ''],
  );
  const runId = rows[0]?.run_id;
  const result = runId === undefined ? undefined : await readRunResult(db, runId);
  return result && runId !== undefined ? { ...result, runId } : undefined;
}

/** What a run that is closed already did; undefined while it is open. */
export async function readRunResult(
  db: Queryable,
  runId: number,
): Promise<
  { outcome: Outcome; inserted: number; changed: number; removed: number; detail?: string } | undefined
> {
  const { rows } = await db.query<{
    outcome: Outcome;
    rows_inserted: number;
    rows_changed: number;
    rows_removed: number;
    error: string | null;
  }>(
    `SELECT outcome, rows_inserted, rows_changed, rows_removed, error FROM collection_runs
      WHERE run_id = $1 AND finished_at IS NOT NULL`,
    [runId],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    outcome: row.outcome,
    inserted: row.rows_inserted,
    changed: row.rows_changed,
    removed: row.rows_removed,
    ...(row.error === null ? {} : { detail: row.error }),
  };
}
