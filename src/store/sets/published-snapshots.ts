import type { Queryable } from '../database.ts';
import type { ResourceKey } from './snapshot-spec.ts';

/** What makes a complete snapshot suspect. */
export type SuspectReason = 'rows-missing' | 'short-page' | 'repeated-key' | 'rejected-rows';

/** A complete snapshot that was not believed. A later one that gives reason for the same is believed. */
export interface SuspectSnapshot {
  readonly reason: SuspectReason;
  readonly lastModified: Date;
  readonly rows: number;
  /** A person has confirmed it. */
  readonly isAccepted: boolean;
}

/** Whether a snapshot of the moment `at` only gives what the published one or a suspect one before it gave. */
export function isConfirmed(
  reason: SuspectReason,
  at: Date,
  published: Pick<PublishedSnapshot, 'suspect' | 'believed'> | undefined,
): boolean {
  if (published?.believed.includes(reason)) return true;
  const suspect = published?.suspect;
  return (
    suspect !== undefined && (suspect.isAccepted || (suspect.reason === reason && suspect.lastModified < at))
  );
}

/** The newest published snapshot of a target, as `published_sets` holds it. */
export interface PublishedSnapshot {
  /** The run that last wrote rows; 0 when nothing was published yet. */
  readonly runId: number;
  readonly lastModified: Date | undefined;
  readonly expires: Date | undefined;
  readonly pages: number;
  readonly rows: number;
  /** A complete snapshot that was rejected as suspect and awaits confirmation. */
  readonly suspect: SuspectSnapshot | undefined;
  /** What would have made this snapshot suspect, had an earlier one not given the same. */
  readonly believed: readonly SuspectReason[];
  /** Readings in a row with rows whose key could not be read. */
  readonly keylessReadings: number;
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
  suspect_reason: SuspectReason | null;
  suspect_accepted: boolean;
  believed: SuspectReason[];
  keyless_readings: number;
  version: string | null;
}

/** The published snapshot of a target. With `lock` its row stays locked until the transaction ends. */
export async function readPublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  lock = false,
): Promise<PublishedSnapshot | undefined> {
  const { rows } = await db.query<SetRow>(
    `SELECT run_id, last_modified, expires, pages, rows, suspect_last_modified, suspect_rows, suspect_reason,
            suspect_accepted, believed, keyless_readings, version
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
      ? {
          reason: row.suspect_reason ?? 'rows-missing',
          lastModified: row.suspect_last_modified,
          rows: row.suspect_rows ?? 0,
          isAccepted: row.suspect_accepted,
        }
      : undefined,
    believed: row.believed,
    keylessReadings: row.keyless_readings,
    version: row.version ?? undefined,
  };
}

/** Writes the published snapshot of a target. A suspect one that awaited confirmation is forgotten. */
export async function writePublishedSnapshot(
  db: Queryable,
  key: ResourceKey,
  published: Pick<PublishedSnapshot, 'runId' | 'pages' | 'rows'> &
    Partial<Pick<PublishedSnapshot, 'lastModified' | 'expires' | 'version' | 'believed' | 'keylessReadings'>>,
  now: Date,
): Promise<void> {
  await db.query(
    `INSERT INTO published_sets (collector, target, run_id, last_modified, expires, read_at, pages, rows, version, resource, believed,
                                 keyless_readings)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     ON CONFLICT (collector, target, resource) DO UPDATE
        SET run_id = excluded.run_id, last_modified = excluded.last_modified, expires = excluded.expires,
            read_at = excluded.read_at, pages = excluded.pages, rows = excluded.rows, version = excluded.version,
            believed = excluded.believed, keyless_readings = excluded.keyless_readings,
            suspect_last_modified = NULL, suspect_rows = NULL, suspect_reason = NULL, suspect_accepted = false`,
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
      published.believed ?? [],
      published.keylessReadings ?? 0,
    ],
  );
}

/**
 * Records a rejected snapshot: what the next one has to confirm, when ESI may be requested again, and how many readings in a
 * row had rows without a key.
 */
export async function writeSuspect(
  db: Queryable,
  key: ResourceKey,
  rejected: Pick<PublishedSnapshot, 'expires' | 'suspect' | 'keylessReadings'>,
): Promise<void> {
  const { expires, suspect, keylessReadings } = rejected;
  await db.query(
    `UPDATE published_sets SET suspect_last_modified = $3, suspect_rows = $4, expires = $5, suspect_reason = $7,
            suspect_accepted = false, keyless_readings = $8
      WHERE collector = $1 AND target = $2 AND resource = $6`,
    [
      key.collector,
      key.target,
      suspect?.lastModified ?? null,
      suspect?.rows ?? null,
      expires ?? null,
      key.resource ?? '',
      suspect?.reason ?? null,
      keylessReadings,
    ],
  );
}

/**
 * Confirms the suspect snapshot of the resource that a run read: the next one that gives reason for the same is believed.
 * False when the newest run of the resource has no suspect snapshot.
 */
export async function acceptSuspect(db: Queryable, runId: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE published_sets p SET suspect_accepted = true FROM collection_runs r
      WHERE r.run_id = $1 AND p.collector = r.collector AND p.target = r.target AND p.resource = r.resource
        AND p.suspect_last_modified = r.last_modified`,
    [runId],
  );
  return rowCount === 1;
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
