import type { Pool, PoolClient } from 'pg';
import { copyInto, encodeRows } from '../copy.ts';
import type { Database } from '../database.ts';
import { storeRejectedRows, type RejectedRow } from './rejected-rows.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** A page of a set as it was read and sifted. */
export interface StagedPage {
  readonly page: number;
  /** `X-Pages` as this page said it. */
  readonly pages: number;
  readonly url: string;
  readonly etag: string | undefined;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  /** Answered 304: its rows are those of the same page in the set published last. */
  readonly notModified: boolean;
  /** Rows that passed. */
  readonly rows: number;
  readonly rejected: readonly RejectedRow[];
  /** The stage's rows of this page, see `encodePage`. */
  readonly copy: Buffer;
  readonly requests: number;
}

/** What is known of a staged page without its rows. */
export interface PageRecord {
  readonly page: number;
  readonly pages: number;
  readonly etag: string | undefined;
  readonly lastModified: number | undefined;
  readonly expires: number | undefined;
  readonly notModified: boolean;
  readonly rows: number;
  readonly rejected: number;
  readonly keyless: number;
}

const quoted = (columns: readonly string[]) => columns.map((c) => `"${c}"`).join(', ');

/** Makes the run's stage where there is none yet: a set that only answers 304 needs none. */
export async function createStage(
  db: Pick<Pool | PoolClient, 'query'>,
  spec: SnapshotSpec,
  runId: number,
): Promise<void> {
  await db.query(
    `CREATE UNLOGGED TABLE IF NOT EXISTS ${stageTable(runId)} WITH (autovacuum_enabled = false) AS
     SELECT ${quoted(spec.columns)}, 0 AS page, false AS rejected FROM ${spec.table} WITH NO DATA`,
  );
}

/**
 * Stages of closed runs of this target that no published set stands on: left by runs that were killed. Of the last three
 * days, since to look at every run that is kept would take ten times as long; the daily `maintain` finds older ones.
 */
export async function dropOldStages(pool: Pool, spec: SnapshotSpec, runId: number): Promise<void> {
  const { rows } = await pool.query<{ run_id: number }>(
    `SELECT r.run_id FROM collection_runs r
      WHERE r.collector = $1 AND r.target = $2 AND r.part = $4 AND r.run_id < $3 AND r.finished_at IS NOT NULL
        AND r.started_at > (SELECT started_at FROM collection_runs WHERE run_id = $3) - interval '3 days'
        AND r.run_id NOT IN (SELECT run_id FROM published_sets WHERE collector = $1 AND target = $2 AND part = $4)
        AND to_regclass('stage.r' || r.run_id) IS NOT NULL`,
    [spec.collector, spec.target, runId, spec.part ?? ''],
  );
  for (const row of rows) await dropStage(pool, row.run_id);
}

/** The rows alone: what is known of the pages stays. */
export async function dropStagedRows(db: Pick<Pool | PoolClient, 'query'>, runId: number): Promise<void> {
  await db.query(`DROP TABLE IF EXISTS ${stageTable(runId)}`);
}

/** Whether the run has staged rows. */
export async function hasStage(db: Pick<Pool | PoolClient, 'query'>, runId: number): Promise<boolean> {
  const { rows } = await db.query<{ name: string | null }>(`SELECT to_regclass($1) AS name`, [
    stageTable(runId),
  ]);
  return rows[0]?.name != null;
}

/** What other routes told of the rows. */
export async function dropEnrichments(db: Pick<Pool | PoolClient, 'query'>, runId: number): Promise<void> {
  for (const table of ['details', 'detail_readings'])
    await db.query(`DELETE FROM stage.${table} WHERE run_id = $1`, [runId]);
}

export async function dropStage(db: Pick<Pool | PoolClient, 'query'>, runId: number): Promise<void> {
  await dropStagedRows(db, runId);
  await dropEnrichments(db, runId);
  await db.query(`DELETE FROM stage.pages WHERE run_id = $1`, [runId]);
}

/**
 * The rows of a page as the stage takes them: those that passed, and the keys of those that did not. Encoded as soon as
 * a page is sifted, so that no page waits as objects: bytes are a fifth of them, and no work for the garbage collector.
 */
export function encodePage(
  spec: Pick<SnapshotSpec, 'columns'>,
  page: number,
  kept: readonly Readonly<Record<string, unknown>>[],
  rejected: readonly RejectedRow[],
): Buffer {
  const keys = rejected.flatMap((row) => (row.key ? [row.key] : []));
  return Buffer.from(
    encodeRows(spec.columns, kept, `\t${page}\tf`) + encodeRows(spec.columns, keys, `\t${page}\tt`),
  );
}

/**
 * Stages pages in one transaction. A page that is staged already stays: whoever comes second, a repeated activity or
 * a twin that was thought dead, brings nothing.
 */
export async function stagePages(
  db: Database,
  spec: SnapshotSpec,
  runId: number,
  pages: readonly StagedPage[],
  now: Date,
): Promise<void> {
  await db.transaction(async (client) => {
    const fresh = await recordPages(client, runId, pages);
    const full = fresh.filter((page) => page.rows + page.rejected.length > 0);
    if (full.length === 0) return;
    await createStage(client, spec, runId);
    await copyInto(
      client,
      stageTable(runId),
      [...spec.columns, 'page', 'rejected'],
      full.map((page) => page.copy),
    );
    for (const page of full) await storeRejectedRows(client, spec, runId, page.rejected, now);
  });
}

async function recordPages(
  client: PoolClient,
  runId: number,
  pages: readonly StagedPage[],
): Promise<StagedPage[]> {
  const records = pages.map((p) => ({
    page: p.page,
    pages: p.pages,
    url: p.url,
    etag: p.etag ?? null,
    last_modified: p.lastModified ?? null,
    expires: p.expires ?? null,
    not_modified: p.notModified,
    rows: p.rows,
    rejected: p.rejected.length,
    keyless: p.rejected.filter((r) => !r.key).length,
    requests: p.requests,
  }));
  const { rows } = await client.query<{ page: number }>(
    `INSERT INTO stage.pages (run_id, page, pages, url, etag, last_modified, expires, not_modified, rows, rejected,
                              keyless, requests)
     SELECT $1, p.* FROM json_to_recordset($2) AS p (page int, pages int, url text, etag text,
            last_modified timestamptz, expires timestamptz, not_modified boolean, rows int, rejected int, keyless int,
            requests int)
     ON CONFLICT DO NOTHING RETURNING page`,
    [runId, JSON.stringify(records)],
  );
  const fresh = new Set(rows.map((row) => row.page));
  return pages.filter((page) => fresh.has(page.page));
}

export async function readPageRecords(db: Pick<Pool, 'query'>, runId: number): Promise<PageRecord[]> {
  const { rows } = await db.query<{
    page: number;
    pages: number;
    etag: string | null;
    last_modified: Date | null;
    expires: Date | null;
    not_modified: boolean;
    rows: number;
    rejected: number;
    keyless: number;
  }>(
    `SELECT page, pages, etag, last_modified, expires, not_modified, rows, rejected, keyless
       FROM stage.pages WHERE run_id = $1 ORDER BY page`,
    [runId],
  );
  return rows.map((row) => ({
    page: row.page,
    pages: row.pages,
    etag: row.etag ?? undefined,
    lastModified: row.last_modified?.getTime(),
    expires: row.expires?.getTime(),
    notModified: row.not_modified,
    rows: row.rows,
    rejected: row.rejected,
    keyless: row.keyless,
  }));
}

/** A page that answered 304 has the rows that it had in the set before, good and bad ones: the next 304 counts them too. */
export async function carryCounts(client: PoolClient, fromRun: number, toRun: number): Promise<void> {
  await client.query(
    `UPDATE stage.pages m SET rows = p.rows, rejected = p.rejected, keyless = p.keyless FROM stage.pages p
      WHERE m.run_id = $2 AND m.not_modified AND p.run_id = $1 AND p.page = m.page`,
    [fromRun, toRun],
  );
}

/** Forgets pages of a run, so that they are read again; the requests they took stay counted. */
export async function dropPages(db: Database, runId: number, pages: readonly number[]): Promise<void> {
  await db.transaction(async (client) => {
    await dropEnrichments(client, runId); // what is told of new rows is asked again, with all others
    const { rows } = await client.query<{ requests: number | null }>(
      `WITH gone AS (DELETE FROM stage.pages WHERE run_id = $1 AND page = ANY($2) RETURNING requests)
       SELECT sum(requests)::int AS requests FROM gone`,
      [runId, pages],
    );
    if (await hasStage(client, runId))
      await client.query(`DELETE FROM ${stageTable(runId)} WHERE page = ANY($1)`, [pages]);
    await client.query(`UPDATE collection_runs SET requests = requests + $2 WHERE run_id = $1`, [
      runId,
      rows[0]?.requests ?? 0,
    ]);
  });
}
