import type { ClientBase, Pool } from 'pg';
import type { ResourceKey } from './snapshot-spec.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

export interface PublishedSnapshot {
  readonly runId: number;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  readonly pages: number;
  readonly rows: number;
  readonly doubt: { readonly lastModified: Date; readonly rows: number } | undefined;
  readonly version: string | undefined;
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
export async function readPublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  lock = false,
): Promise<PublishedSnapshot | undefined> {
  const { rows } = await db.query<SetRow>(
    `SELECT run_id, last_modified, expires, pages, rows, doubt_last_modified, doubt_rows, version
       FROM published_sets WHERE collector = $1 AND target = $2 AND part = $3 ${lock ? 'FOR UPDATE' : ''}`,
    [key.collector, key.target, key.part ?? ''],
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
export async function writePublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  set: Omit<PublishedSnapshot, 'doubt'>,
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO published_sets (collector, target, run_id, last_modified, expires, read_at, pages, rows, version, part)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (collector, target, part) DO UPDATE
        SET run_id = excluded.run_id, last_modified = excluded.last_modified, expires = excluded.expires,
            read_at = excluded.read_at, pages = excluded.pages, rows = excluded.rows, version = excluded.version,
            doubt_last_modified = NULL, doubt_rows = NULL`,
    [
      key.collector,
      key.target,
      set.runId,
      set.lastModified ?? null,
      set.expires ?? null,
      now,
      set.pages,
      set.rows,
      set.version ?? null,
      key.part ?? '',
    ],
  );
}

/** Remembers that a set was not believed, why a second reading may confirm it, and when it may be asked for again. */
export async function writeDoubt(
  db: Queryable,
  key: ResourceKey,
  { expires, doubt }: { expires: Date | undefined; doubt: PublishedSnapshot['doubt'] },
): Promise<void> {
  await db.query(
    `UPDATE published_sets SET doubt_last_modified = $3, doubt_rows = $4, expires = $5
      WHERE collector = $1 AND target = $2 AND part = $6`,
    [
      key.collector,
      key.target,
      doubt?.lastModified ?? null,
      doubt?.rows ?? null,
      expires ?? null,
      key.part ?? '',
    ],
  );
}

/**
 * After an answer of which nothing was published: what ESI said of its `Expires` holds all the same, so nothing is asked
 * before. The target's row is made where no set was ever published.
 */
export async function storeExpires(db: Queryable, key: ResourceKey, expires: Date | undefined): Promise<void> {
  if (expires === undefined) return;
  await db.query(
    `INSERT INTO published_sets (collector, target, part, run_id, read_at, pages, rows, expires)
     VALUES ($1, $2, $4, 0, now(), 0, 0, $3)
     ON CONFLICT (collector, target, part) DO UPDATE SET expires = greatest(published_sets.expires, excluded.expires)`,
    [key.collector, key.target, expires, key.part ?? ''],
  );
}

/** The last `Expires` among the staged pages of a run. */
export async function readStagedExpiry(db: Queryable, runId: number): Promise<Date | undefined> {
  const { rows } = await db.query<{ expires: Date | null }>(
    'SELECT max(expires) AS expires FROM stage.pages WHERE run_id = $1',
    [runId],
  );
  return rows[0]?.expires ?? undefined;
}

/** When the first of a target's parts may be asked for again. */
export async function readEarliestExpiry(db: Queryable, key: ResourceKey): Promise<Date | undefined> {
  const { rows } = await db.query<{ expires: Date | null }>(
    `SELECT min(expires) AS expires FROM published_sets WHERE collector = $1 AND target = $2`,
    [key.collector, key.target],
  );
  return rows[0]?.expires ?? undefined;
}
