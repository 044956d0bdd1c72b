import type { Pool, PoolClient } from 'pg';
import { copyInto, encodeRows } from '../copy.ts';
import type { Database, Queryable } from '../database.ts';
import { columnList } from '../sql-fragments.ts';
import { storeExpires } from './published-snapshots.ts';
import { recordFirstPage } from './runs.ts';
import { dropEnrichments } from './enrichments.ts';
import { storeRejectedRows, type RejectedRow } from './rejected-rows.ts';
import { type SnapshotSpec, stageTable } from './snapshot-spec.ts';

/** A page as it was read, validated and encoded. */
export interface StagedPage {
  readonly page: number;
  /** `X-Pages` of this page's answer. */
  readonly pages: number;
  readonly url: string;
  readonly etag: string | undefined;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  /** Answered 304: its rows are those of the same page of the published snapshot. */
  readonly notModified: boolean;
  /** The run whose published rows the rows that are not staged are equal to; undefined where all rows are staged. */
  readonly comparedWith: number | undefined;
  /** The keys of all rows, encoded; undefined where rows are not compared. */
  readonly keys: Buffer | undefined;
  /** Valid rows, unchanged ones included. */
  readonly rows: number;
  readonly rejected: readonly RejectedRow[];
  /** The rows to be staged in COPY format, see `encodePage`. */
  readonly copy: Buffer;
  readonly requests: number;
}

/** A staged page without its rows. */
export interface PageRecord {
  readonly page: number;
  readonly pages: number;
  readonly etag: string | undefined;
  readonly lastModified: number | undefined;
  readonly expires: number | undefined;
  readonly notModified: boolean;
  readonly comparedWith: number | undefined;
  readonly rows: number;
  readonly rejected: number;
  /** Rejected rows whose key could not be read. */
  readonly keyless: number;
}

/** Creates the run's stage unless it exists. Pages without a new or changed row need none. */
export async function createStage(db: Queryable, spec: SnapshotSpec, runId: number): Promise<void> {
  await db.query(
    `CREATE UNLOGGED TABLE IF NOT EXISTS ${stageTable(runId)} WITH (autovacuum_enabled = false) AS
     SELECT ${columnList(spec.columns)}, 0 AS page, false AS rejected FROM ${spec.table} WITH NO DATA`,
  );
}

/**
 * Drops the stages that killed runs of this target left behind: of closed runs that are not the published snapshot's.
 * Only the last three days are searched, a tenth of the work of searching all runs; the daily maintenance searches the others.
 */
export async function dropOldStages(pool: Pool, spec: SnapshotSpec, runId: number): Promise<void> {
  const { rows } = await pool.query<{ run_id: number }>(
    `SELECT r.run_id FROM collection_runs r
      WHERE r.collector = $1 AND r.target = $2 AND r.resource = $4 AND r.run_id < $3 AND r.finished_at IS NOT NULL
        AND r.started_at > (SELECT started_at FROM collection_runs WHERE run_id = $3) - interval '3 days'
        AND r.run_id NOT IN (SELECT run_id FROM published_sets WHERE collector = $1 AND target = $2 AND resource = $4)
        AND (to_regclass('stage.r' || r.run_id) IS NOT NULL OR EXISTS (SELECT FROM stage.pages p WHERE p.run_id = r.run_id))`,
    [spec.collector, spec.target, runId, spec.resource ?? ''],
  );
  for (const row of rows) await dropStage(pool, row.run_id);
}

/** Drops the staged rows. The records of the pages stay. */
export async function dropStagedRows(db: Queryable, runId: number): Promise<void> {
  await db.query(`DROP TABLE IF EXISTS ${stageTable(runId)}`);
}

/** Whether the run has a table of staged rows. */
export async function hasStage(db: Queryable, runId: number): Promise<boolean> {
  const { rows } = await db.query<{ name: string | null }>(`SELECT to_regclass($1) AS name`, [
    stageTable(runId),
  ]);
  return rows[0]?.name != null;
}

/** Drops everything that is staged for the run. */
export async function dropStage(db: Queryable, runId: number): Promise<void> {
  await dropStagedRows(db, runId);
  await dropEnrichments(db, runId);
  await db.query(`DELETE FROM stage.pages WHERE run_id = $1`, [runId]);
}

/**
 * Encodes the rows of a page for COPY: those that passed validation, and the keys of those that did not. It is called as
 * soon as a page is validated, because bytes take a fifth of the memory of objects and cost the garbage collector nothing.
 */
export function encodePage(
  spec: Pick<SnapshotSpec, 'columns'>,
  page: number,
  valid: readonly Readonly<Record<string, unknown>>[],
  rejected: readonly RejectedRow[],
): Buffer {
  const keys = rejected.flatMap((row) => (row.key ? [row.key] : []));
  return Buffer.from(
    encodeRows(spec.columns, valid, `\t${page}\tf`) + encodeRows(spec.columns, keys, `\t${page}\tt`),
  );
}

/**
 * Stages pages in one transaction. A page that is staged already stays as it is, so that a repeated activity, or one
 * that was believed dead, changes nothing.
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
    const first = fresh.find(({ page }) => page === 1);
    // Where the run was closed from outside, the next run has to know what this one has read.
    if (first && !(await recordFirstPage(client, runId, first.expires)))
      await storeExpires(client, spec, first.expires);
    const copies = fresh.map((page) => page.copy).filter((copy) => copy.length > 0);
    if (copies.length > 0) {
      if (!(await hasStage(client, runId))) await createStage(client, spec, runId);
      const columns = [...spec.columns, 'page', 'rejected'];
      await copyInto(client, stageTable(runId), columns, copies);
    }
    for (const page of fresh) await storeRejectedRows(client, spec, runId, page.rejected, now);
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
    compared_with: p.comparedWith ?? null,
    keys: p.keys?.toString('base64') ?? null,
    rows: p.rows,
    rejected: p.rejected.length,
    keyless: p.rejected.filter((r) => !r.key).length,
    requests: p.requests,
  }));
  const { rows } = await client.query<{ page: number }>(
    `INSERT INTO stage.pages (run_id, page, pages, url, etag, last_modified, expires, not_modified, compared_with, keys,
                              rows, rejected, keyless, requests)
     SELECT $1, page, pages, url, etag, last_modified, expires, not_modified, compared_with, decode(keys, 'base64'),
            rows, rejected, keyless, requests
       FROM json_to_recordset($2) AS p (page int, pages int, url text, etag text, last_modified timestamptz,
            expires timestamptz, not_modified boolean, compared_with bigint, keys text, rows int, rejected int,
            keyless int, requests int)
     ON CONFLICT DO NOTHING RETURNING page`,
    [runId, JSON.stringify(records)],
  );
  const fresh = new Set(rows.map((row) => row.page));
  return pages.filter((page) => fresh.has(page.page));
}

/** The staged pages of a run, in order. */
export async function readPageRecords(db: Queryable, runId: number): Promise<PageRecord[]> {
  const { rows } = await db.query<{
    page: number;
    pages: number;
    etag: string | null;
    last_modified: Date | null;
    expires: Date | null;
    not_modified: boolean;
    compared_with: number | null;
    rows: number;
    rejected: number;
    keyless: number;
  }>(
    `SELECT page, pages, etag, last_modified, expires, not_modified, compared_with, rows, rejected, keyless
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
    comparedWith: row.compared_with ?? undefined,
    rows: row.rows,
    rejected: row.rejected,
    keyless: row.keyless,
  }));
}

/** The encoded keys of the rows of a page. */
export interface PageKeys {
  readonly page: number;
  readonly keys: Buffer;
}

/** The keys of a run's pages, in order. A page that answered 304 has those of the same page of the published snapshot. */
export async function readPageKeys(db: Queryable, runId: number, publishedRun: number): Promise<PageKeys[]> {
  const { rows } = await db.query<PageKeys>(
    `SELECT m.page, coalesce(m.keys, p.keys) AS keys FROM stage.pages m
       LEFT JOIN stage.pages p ON m.not_modified AND p.run_id = $2 AND p.page = m.page
      WHERE m.run_id = $1 AND coalesce(m.keys, p.keys) IS NOT NULL ORDER BY m.page`,
    [runId, publishedRun],
  );
  return rows;
}

/** Staged rows of one key. */
export interface StagedRows {
  readonly rows: number;
  /** Rows that differ from each other. A rejected one differs from a valid one. */
  readonly versions: number;
  readonly lastPage: number;
}

/** The staged rows with these keys; a key without any is left out. */
export async function countStagedRows(
  db: Queryable,
  spec: SnapshotSpec,
  runId: number,
  keys: readonly bigint[],
): Promise<Map<bigint, StagedRows>> {
  if (!(await hasStage(db, runId))) return new Map();
  const { rows } = await db.query<StagedRows & { key: string }>(
    `SELECT s."${spec.key[0]}"::text AS key, count(*)::int AS rows, max(page) AS "lastPage",
            count(DISTINCT (${columnList(spec.columns, 's.')}, s.rejected))::int AS versions
       FROM ${stageTable(runId)} s WHERE s."${spec.key[0]}" = ANY($1::bigint[]) GROUP BY 1`,
    [keys],
  );
  return new Map(rows.map(({ key, ...counts }) => [BigInt(key), counts]));
}

/** Copies counts and keys of pages that answered 304 from the snapshot before, so that the next 304 has them too. */
export async function carryRows(client: PoolClient, fromRun: number, toRun: number): Promise<void> {
  await client.query(
    `UPDATE stage.pages m SET rows = p.rows, rejected = p.rejected, keyless = p.keyless, keys = p.keys FROM stage.pages p
      WHERE m.run_id = $2 AND m.not_modified AND p.run_id = $1 AND p.page = m.page`,
    [fromRun, toRun],
  );
}

/** Drops staged pages, so that they are read again. The requests they took stay counted. */
export async function dropPages(db: Database, runId: number, pages: readonly number[]): Promise<void> {
  await db.transaction(async (client) => {
    await dropEnrichments(client, runId); // the new rows have to be enriched as well
    const { rows } = await client.query<{ requests: number | null }>(
      `WITH dropped AS (DELETE FROM stage.pages WHERE run_id = $1 AND page = ANY($2) RETURNING requests)
       SELECT sum(requests)::int AS requests FROM dropped`,
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
