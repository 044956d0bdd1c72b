import type { Queryable } from '../database.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';

/**
 * ETags of the pages of a published snapshot, by URL. A page that came without an ETag the last time has none, whatever
 * it had before.
 */
export async function readEtags(
  db: Queryable,
  runId: number,
  urls: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await db.query<{ url: string; etag: string }>(
    `SELECT url, etag FROM esi_cache JOIN stage.pages USING (url, etag) WHERE run_id = $1 AND url = ANY($2)`,
    [runId, urls],
  );
  return new Map(rows.map((row) => [row.url, row.etag]));
}

/**
 * The pages of a published snapshot that may be requested conditionally: those whose keys are known (none after a crash of
 * the server), or all where keys are not needed.
 */
export async function readKnownPages(db: Queryable, spec: SnapshotSpec, runId: number): Promise<Set<number>> {
  const { rows } = await db.query<{ page: number }>(
    `SELECT page FROM stage.pages WHERE run_id = $1 AND (keys IS NOT NULL OR NOT $2)`,
    [runId, spec.comparesRows],
  );
  return new Set(rows.map((row) => row.page));
}
