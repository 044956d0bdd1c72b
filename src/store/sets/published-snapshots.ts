import type { Queryable } from '../database.ts';
import type { ResourceKey } from './snapshot-spec.ts';

/** The newest published snapshot of a target, as `published_sets` holds it. */
export interface PublishedSnapshot {
  /** The run that last wrote rows; 0 when nothing was published yet. */
  readonly runId: number;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  readonly pages: number;
  readonly rows: number;
  /** A complete snapshot that was rejected as suspect and awaits confirmation. */
  readonly suspect: { readonly lastModified: Date; readonly rows: number } | undefined;
  /** The source's own name of its state, e.g. the build number of the SDE. */
  readonly version: string | undefined;
}

interface SetRow {
  run_id: number;
  last_modified: Date | null;
  expires: Date | null;
  pages: number;
  rows: number;
  suspect_last_modified: Date | null;
  suspect_rows: number | null;
  version: string | null;
}

/** The published snapshot of a target. With `lock` its row stays locked until the transaction ends. */
export async function readPublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  lock = false,
): Promise<PublishedSnapshot | undefined> {
  const { rows } = await db.query<SetRow>(
    `SELECT run_id, last_modified, expires, pages, rows, suspect_last_modified, suspect_rows, version
       FROM published_sets WHERE collector = $1 AND target = $2 AND resource = $3 ${lock ? 'FOR UPDATE' : ''}`,
    [key.collector, key.target, key.resource ?? ''],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    runId: row.run_id,
    lastModified: row.last_modified ?? undefined,
    expires: row.expires ?? undefined,
    pages: row.pages,
    rows: row.rows,
    suspect: row.suspect_last_modified
      ? { lastModified: row.suspect_last_modified, rows: row.suspect_rows ?? 0 }
      : undefined,
    version: row.version ?? undefined,
  };
}

/** Writes the published snapshot of a target. A suspect one that awaited confirmation is forgotten. */
export async function writePublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  published: Pick<PublishedSnapshot, 'runId' | 'pages' | 'rows'> &
    Partial<Pick<PublishedSnapshot, 'lastModified' | 'expires' | 'version'>>,
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO published_sets (collector, target, run_id, last_modified, expires, read_at, pages, rows, version, resource)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (collector, target, resource) DO UPDATE
        SET run_id = excluded.run_id, last_modified = excluded.last_modified, expires = excluded.expires,
            read_at = excluded.read_at, pages = excluded.pages, rows = excluded.rows, version = excluded.version,
            suspect_last_modified = NULL, suspect_rows = NULL`,
    [
      key.collector,
      key.target,
      published.runId,
      published.lastModified ?? null,
      published.expires ?? null,
      now,
      published.pages,
      published.rows,
      published.version ?? null,
      key.resource ?? '',
    ],
  );
}

/** Records a rejected snapshot: what the next one has to confirm, and when ESI may be requested again. */
export async function writeSuspect(
  db: Queryable,
  key: ResourceKey,
  { expires, suspect }: { expires: Date | undefined; suspect: PublishedSnapshot['suspect'] },
): Promise<void> {
  await db.query(
    `UPDATE published_sets SET suspect_last_modified = $3, suspect_rows = $4, expires = $5
      WHERE collector = $1 AND target = $2 AND resource = $6`,
    [
      key.collector,
      key.target,
      suspect?.lastModified ?? null,
      suspect?.rows ?? null,
      expires ?? null,
      key.resource ?? '',
    ],
  );
}

/**
 * Records the `Expires` of an answer of which nothing was published, so that nothing is requested before. Inserts the
 * target's row where no snapshot was ever published.
 */
export async function storeExpires(
  db: Queryable,
  key: ResourceKey,
  expires: Date | undefined,
): Promise<void> {
  if (expires === undefined) return;
  await db.query(
    `INSERT INTO published_sets (collector, target, resource, run_id, read_at, pages, rows, expires)
     VALUES ($1, $2, $4, 0, now(), 0, 0, $3)
     ON CONFLICT (collector, target, resource) DO UPDATE SET expires = greatest(published_sets.expires, excluded.expires)`,
    [key.collector, key.target, expires, key.resource ?? ''],
  );
}

/** The latest `Expires` of the staged pages of a run. */
export async function readStagedExpiry(db: Queryable, runId: number): Promise<Date | undefined> {
  const { rows } = await db.query<{ expires: Date | null }>(
    'SELECT max(expires) AS expires FROM stage.pages WHERE run_id = $1',
    [runId],
  );
  return rows[0]?.expires ?? undefined;
}

/** When the first of a target's resources may be requested again. */
export async function readEarliestExpiry(db: Queryable, key: ResourceKey): Promise<Date | undefined> {
  const { rows } = await db.query<{ expires: Date | null }>(
    `SELECT min(expires) AS expires FROM published_sets WHERE collector = $1 AND target = $2`,
    [key.collector, key.target],
  );
  return rows[0]?.expires ?? undefined;
}
