import type { Queryable } from '../database.ts';
import type { ResourceKey } from './snapshot-spec.ts';

/** How a run ended, as `collection_runs` holds it. */
export type Outcome = 'published' | 'unchanged' | 'torn' | 'refused' | 'failed';

/** A resource, and the workflow run that reads it. */
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
  /** What the run has to say besides its outcome. */
  readonly note?: string | undefined;
}

/** Opens the run of a workflow run and returns its id. A repeated activity gets the same id. */
export async function openRun(db: Queryable, key: RunKey, now: Date): Promise<number> {
  const { rows } = await db.query<{ run_id: number }>(
    `INSERT INTO collection_runs (collector, target, workflow_id, workflow_run_id, started_at, resource)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (workflow_run_id, resource) DO UPDATE SET workflow_run_id = excluded.workflow_run_id
     RETURNING run_id`,
    [key.collector, key.target, key.workflowId ?? null, key.workflowRunId ?? null, now, key.resource ?? ''],
  );
  return rows[0]!.run_id;
}

/** The error of a run whose worker was killed or whose workflow was terminated. */
export const ABANDONED = 'The run was ended from outside.';

/**
 * Closes the runs of a target that were killed: a workflow id has one run at a time, so nobody will finish what the same
 * id left open before this run. Returns when the pages expire that they had read. Runs older than three days are closed by the daily maintenance.
 */
export async function closeAbandoned(
  db: Queryable,
  key: RunKey,
  runId: number,
  now: Date,
): Promise<Date | undefined> {
  if (key.workflowId === undefined) return undefined;
  const { rows } = await db.query<{ expires: Date | null }>(
    `UPDATE collection_runs SET finished_at = $5, outcome = 'failed', error = $7
      WHERE collector = $1 AND target = $2 AND resource = $6 AND workflow_id = $3 AND run_id < $4 AND finished_at IS NULL
        AND started_at > $5::timestamptz - interval '3 days'
      RETURNING expires`,
    [key.collector, key.target, key.workflowId, runId, now, key.resource ?? '', ABANDONED],
  );
  const times = rows.map(({ expires }) => expires?.getTime() ?? 0);
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

/** Closes a run with what it did. False when it was closed before; it then stays as it is. */
export async function closeRun(db: Queryable, runId: number, result: RunResult, now: Date): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE collection_runs r
        SET finished_at = $2, outcome = $3, rows_inserted = r.rows_inserted + $4, rows_changed = r.rows_changed + $5, rows_removed = $6,
            last_modified = $7, expires = $8, error = $9, note = $10, pages = greatest(r.pages, s.pages),
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
      result.note ?? null,
    ],
  );
  return rowCount === 1;
}

/** The open runs of a workflow run; of one resource where the key names it. */
export async function findOpenRuns(
  db: Queryable,
  key: RunKey,
): Promise<{ runId: number; resource: string }[]> {
  const { rows } = await db.query<{ run_id: number; resource: string }>(
    `SELECT run_id, resource FROM collection_runs
      WHERE workflow_run_id = $1 AND finished_at IS NULL AND resource = coalesce($2, resource)`,
    [key.workflowRunId ?? null, key.resource ?? null],
  );
  return rows.map(({ run_id: runId, resource }) => ({ runId, resource }));
}

/** Deletes the open run of a resource when no page was read for it. Returns whether it did. */
export async function deleteEmptyRun(db: Queryable, key: RunKey): Promise<boolean> {
  const { rows } = await db.query(
    `DELETE FROM collection_runs r
      WHERE workflow_run_id = $1 AND resource = $2 AND finished_at IS NULL AND expires IS NULL
        AND NOT EXISTS (SELECT FROM stage.pages p WHERE p.run_id = r.run_id)
     RETURNING run_id`,
    [key.workflowRunId ?? null, key.resource ?? ''],
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

/** What the source says of the set that a run reads, in a table that survives a crash of the server. */
export interface RunAge {
  readonly expires: Date | undefined;
  /** The first page that does not exist, although page 1 announced it. */
  readonly missingPage: number | undefined;
  /** Why a page could not be read, where the other pages are published without it. */
  readonly pageFailure: string | undefined;
}

/** What the source has said so far. */
export async function readRunAge(db: Queryable, runId: number): Promise<RunAge> {
  const { rows } = await db.query<{
    expires: Date | null;
    missing_page: number | null;
    page_failure: string | null;
  }>(`SELECT expires, missing_page, page_failure FROM collection_runs WHERE run_id = $1`, [runId]);
  return {
    expires: rows[0]?.expires ?? undefined,
    missingPage: rows[0]?.missing_page ?? undefined,
    pageFailure: rows[0]?.page_failure ?? undefined,
  };
}

/**
 * Records that page 1 has come: when the set expires. What it announced before is forgotten. False when the run was closed
 * meanwhile.
 */
export async function recordFirstPage(
  db: Queryable,
  runId: number,
  expires: Date | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE collection_runs SET expires = $2, missing_page = NULL WHERE run_id = $1 AND finished_at IS NULL`,
    [runId, expires ?? null],
  );
  return rowCount === 1;
}

/** Records that a page does not exist, so that none after it is requested. */
export async function recordMissingPage(db: Queryable, runId: number, page: number): Promise<void> {
  await db.query(
    `UPDATE collection_runs SET missing_page = least(missing_page, $2) WHERE run_id = $1 AND finished_at IS NULL`,
    [runId, page],
  );
}

/** Records why a page could not be read; undefined forgets it, before the list is read again. */
export async function recordPageFailure(
  db: Queryable,
  runId: number,
  reason: string | undefined,
): Promise<void> {
  await db.query(
    `UPDATE collection_runs SET page_failure = $2 WHERE run_id = $1 AND finished_at IS NULL
        AND page_failure IS DISTINCT FROM $2`,
    [runId, reason ?? null],
  );
}

/** Records the Last-Modified and Expires of the source, for a run that a later step closes. */
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

/** The Last-Modified and Expires that recordSourceAge recorded. */
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

/** Counts requests that brought no page: failed ones, and those of pages that were read a second time. */
export async function countRequests(db: Queryable, runId: number, requests: number): Promise<void> {
  if (requests > 0) await addRunCounts(db, runId, { requests });
}

/** Adds to the counts of an open run. Those of its staged pages are added when it is closed. */
export async function addRunCounts(
  db: Queryable,
  runId: number,
  counts: {
    pages?: number;
    read?: number;
    rejected?: number;
    inserted?: number;
    changed?: number;
    requests?: number;
  },
): Promise<void> {
  const { pages = 0, read = 0, rejected = 0, inserted = 0, changed = 0, requests = 0 } = counts;
  await db.query(
    `UPDATE collection_runs SET pages = pages + $2, rows_read = rows_read + $3, rows_rejected = rows_rejected + $4,
            rows_inserted = rows_inserted + $5, rows_changed = rows_changed + $6, requests = requests + $7
      WHERE run_id = $1`,
    [runId, pages, read, rejected, inserted, changed, requests],
  );
}

/** Sets the number of rows that a run has read, in a step that may be repeated. */
export async function setRowsRead(db: Queryable, runId: number, rows: number): Promise<void> {
  await db.query('UPDATE collection_runs SET rows_read = $2 WHERE run_id = $1', [runId, rows]);
}

/** A closed run, in rows. */
export interface ClosedRun {
  readonly outcome: Outcome;
  readonly inserted: number;
  readonly changed: number;
  readonly removed: number;
  readonly detail?: string;
}

/** What the closed run of a workflow run did, so that a repeated step returns the same; undefined while it is open. */
export async function findRunResult(
  db: Queryable,
  key: RunKey,
): Promise<(ClosedRun & { readonly runId: number }) | undefined> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT run_id FROM collection_runs WHERE workflow_run_id = $1 AND resource = $2 AND finished_at IS NOT NULL`,
    [key.workflowRunId ?? null, key.resource ?? ''],
  );
  const runId = rows[0]?.run_id;
  const result = runId === undefined ? undefined : await readRunResult(db, runId);
  return result && runId !== undefined ? { ...result, runId } : undefined;
}

/** What a closed run did; undefined while it is open. */
export async function readRunResult(db: Queryable, runId: number): Promise<ClosedRun | undefined> {
  const { rows } = await db.query<{
    outcome: Outcome;
    rows_inserted: number;
    rows_changed: number;
    rows_removed: number;
    detail: string | null;
  }>(
    `SELECT outcome, rows_inserted, rows_changed, rows_removed, coalesce(error, note) AS detail FROM collection_runs
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
    ...(row.detail === null ? {} : { detail: row.detail }),
  };
}

/** Whether a closed run could not publish all rows of its list: a page failed, or rows were rejected. */
export async function hasLeftRowsOut(db: Queryable, runId: number): Promise<boolean> {
  const { rows } = await db.query(
    `SELECT FROM collection_runs WHERE run_id = $1 AND (outcome = 'torn' OR rows_rejected > 0)`,
    [runId],
  );
  return rows.length > 0;
}
