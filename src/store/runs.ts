import type { ClientBase, Pool } from 'pg';

export type Outcome = 'published' | 'unchanged' | 'torn' | 'refused' | 'failed';

export interface RunKey {
  readonly collector: string;
  readonly target: string;
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

export interface PublishedSet {
  readonly runId: number;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  readonly pages: number;
  readonly rows: number;
  readonly doubt: { readonly lastModified: Date; readonly rows: number } | undefined;
  readonly version: string | undefined;
}

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Opens the run of a workflow, or finds it again: an activity that is repeated gets the same number. */
export async function openRun(db: Queryable, key: RunKey, now: Date): Promise<number> {
  const { rows } = await db.query<{ run_id: number }>(
    `INSERT INTO collection_runs (collector, target, workflow_id, workflow_run_id, started_at)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (workflow_run_id) DO UPDATE SET workflow_run_id = excluded.workflow_run_id
     RETURNING run_id`,
    [key.collector, key.target, key.workflowId ?? null, key.workflowRunId ?? null, now],
  );
  return rows[0]!.run_id;
}

/**
 * Closes the runs of a target that nobody will finish: a workflow id has one run at a time, so whatever the same id
 * left open before this run was killed.
 */
export async function closeAbandoned(db: Queryable, key: RunKey, runId: number, now: Date): Promise<void> {
  if (key.workflowId === undefined) return;
  await db.query(
    `UPDATE collection_runs SET finished_at = $5, outcome = 'failed', error = 'The run was ended from outside.'
      WHERE collector = $1 AND target = $2 AND workflow_id = $3 AND run_id < $4 AND finished_at IS NULL`,
    [key.collector, key.target, key.workflowId, runId, now],
  );
}

/** Closes a run with what it did; a run that is closed already stays as it is. */
export async function closeRun(db: Queryable, runId: number, result: RunResult, now: Date): Promise<void> {
  await db.query(
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
}

/** The run that a workflow run opened and nobody has closed. */
export async function findOpenRun(db: Queryable, key: RunKey): Promise<number | undefined> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT run_id FROM collection_runs WHERE workflow_run_id = $1 AND finished_at IS NULL`,
    [key.workflowRunId ?? null],
  );
  return rows[0]?.run_id;
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
export async function noteAge(
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

export async function readAge(
  db: Queryable,
  runId: number,
): Promise<{ lastModified: Date | undefined; expires: Date | undefined }> {
  const { rows } = await db.query<{ last_modified: Date | null; expires: Date | null }>(
    `SELECT last_modified, expires FROM collection_runs WHERE run_id = $1`,
    [runId],
  );
  return { lastModified: rows[0]?.last_modified ?? undefined, expires: rows[0]?.expires ?? undefined };
}

/**
 * After a run that failed: what ESI said of its set's `Expires` holds all the same, so nothing is asked before. The
 * target's row is made where no set was ever published.
 */
export async function keepExpires(db: Queryable, key: RunKey, runId: number): Promise<void> {
  await db.query(
    `INSERT INTO published_sets (collector, target, run_id, read_at, pages, rows, expires)
     SELECT $1, $2, 0, now(), 0, 0, max(expires) FROM stage.pages WHERE run_id = $3 HAVING max(expires) IS NOT NULL
     ON CONFLICT (collector, target) DO UPDATE SET expires = greatest(published_sets.expires, excluded.expires)`,
    [key.collector, key.target, runId],
  );
}

/** Adds requests that brought no page: failed ones, and those of pages read a second time. */
export async function countRequests(db: Queryable, runId: number, requests: number): Promise<void> {
  if (requests === 0) return;
  await db.query(`UPDATE collection_runs SET requests = requests + $2 WHERE run_id = $1`, [runId, requests]);
}

interface SetRow {
  run_id: number;
  last_modified: Date | null;
  expires: Date | null;
  pages: number;
  rows: number;
  doubt_last_modified: Date | null;
  doubt_rows: number | null;
  version: string | null;
}

/** The newest published set of a target. `lock` holds it until the transaction ends: one publisher at a time. */
export async function readPublishedSet(
  db: Queryable,
  collector: string,
  target: string,
  lock = false,
): Promise<PublishedSet | undefined> {
  const { rows } = await db.query<SetRow>(
    `SELECT run_id, last_modified, expires, pages, rows, doubt_last_modified, doubt_rows, version
       FROM published_sets WHERE collector = $1 AND target = $2 ${lock ? 'FOR UPDATE' : ''}`,
    [collector, target],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    runId: row.run_id,
    lastModified: row.last_modified ?? undefined,
    expires: row.expires ?? undefined,
    pages: row.pages,
    rows: row.rows,
    doubt: row.doubt_last_modified
      ? { lastModified: row.doubt_last_modified, rows: row.doubt_rows ?? 0 }
      : undefined,
    version: row.version ?? undefined,
  };
}

/** Writes what now stands as the newest set of a target; a doubt is settled by it. */
export async function writePublishedSet(
  db: Queryable,
  collector: string,
  target: string,
  set: Omit<PublishedSet, 'doubt'>,
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO published_sets (collector, target, run_id, last_modified, expires, read_at, pages, rows, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (collector, target) DO UPDATE
        SET run_id = excluded.run_id, last_modified = excluded.last_modified, expires = excluded.expires,
            read_at = excluded.read_at, pages = excluded.pages, rows = excluded.rows, version = excluded.version,
            doubt_last_modified = NULL, doubt_rows = NULL`,
    [
      collector,
      target,
      set.runId,
      set.lastModified ?? null,
      set.expires ?? null,
      now,
      set.pages,
      set.rows,
      set.version ?? null,
    ],
  );
}

/** Remembers that a set was not believed, why a second reading may confirm it, and when it may be asked for again. */
export async function writeDoubt(
  db: Queryable,
  collector: string,
  target: string,
  { expires, doubt }: { expires: Date | undefined; doubt: PublishedSet['doubt'] },
): Promise<void> {
  await db.query(
    `UPDATE published_sets SET doubt_last_modified = $3, doubt_rows = $4, expires = $5
      WHERE collector = $1 AND target = $2`,
    [collector, target, doubt?.lastModified ?? null, doubt?.rows ?? null, expires ?? null],
  );
}

/** What the run of a workflow run did, when it is closed already: a step that is repeated says the same again. */
export async function findRunResult(
  db: Queryable,
  key: RunKey,
): Promise<(NonNullable<Awaited<ReturnType<typeof readRunResult>>> & { runId: number }) | undefined> {
  const { rows } = await db.query<{ run_id: number }>(
    `SELECT run_id FROM collection_runs WHERE workflow_run_id = $1 AND finished_at IS NOT NULL`,
    [key.workflowRunId ?? null],
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
