import type { PoolClient } from 'pg';
import { Rollback } from './publish-plan.ts';
import { type PublishedSnapshot, readPublishedSnapshot } from './published-snapshots.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';

/** A run that was closed from outside, whose worker did not hear of it, publishes nothing any more. */
export async function assertRunOpen(client: PoolClient, runId: number): Promise<void> {
  const { rows } = await client.query(
    `SELECT FROM collection_runs WHERE run_id = $1 AND finished_at IS NULL FOR UPDATE`,
    [runId],
  );
  if (rows.length === 0) throw new Rollback({ state: 'closed' });
}

/** Whether the pages that answered 304 are those of the set that stands: a twin may have published another since. */
export async function isBasedOn(
  client: PoolClient,
  plan: { readonly runId: number; readonly notModified: readonly number[] },
  previous: PublishedSnapshot | undefined,
): Promise<boolean> {
  if (plan.notModified.length === 0) return true;
  const same = `SELECT count(*) AS rows FROM stage.pages m JOIN stage.pages p USING (page, etag)
                 WHERE m.run_id = ${plan.runId} AND m.not_modified AND p.run_id = ${previous?.runId ?? 0}`;
  return (await count(client, same)) === plan.notModified.length;
}

/** The target's row is the queue of its publishers; the first publisher of all makes it. */
export async function lockPublishedSnapshot(client: PoolClient, spec: SnapshotSpec): Promise<PublishedSnapshot | undefined> {
  const previous = await readPublishedSnapshot(client, spec, true);
  if (previous) return previous;
  await client.query(
    `INSERT INTO published_sets (collector, target, part, run_id, read_at, pages, rows) VALUES ($1, $2, $3, 0, now(), 0, 0)
     ON CONFLICT DO NOTHING`,
    [spec.collector, spec.target, spec.part ?? ''],
  );
  return readPublishedSnapshot(client, spec, true);
}

/** The one number that a statement gives as `rows`. */
export async function count(client: PoolClient, text: string): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(text);
  return rows[0]?.rows ?? 0;
}
