import type { PoolClient } from 'pg';
import type { PublishPlan } from './publish-plan.ts';
import { type PublishedSnapshot, readPublishedSnapshot } from './published-snapshots.ts';
import type { ResourceKey } from './snapshot-spec.ts';

/** Whether the run is open. Its row is locked, so that nobody closes it before the transaction ends. */
export async function isRunOpen(client: PoolClient, runId: number): Promise<boolean> {
  const { rows } = await client.query(
    'SELECT FROM collection_runs WHERE run_id = $1 AND finished_at IS NULL FOR UPDATE',
    [runId],
  );
  return rows.length > 0;
}

/**
 * Whether the pages that answered 304 are those of the published snapshot, and the others were compared with it: another
 * run may have published one since.
 */
export async function isBasedOn(
  client: PoolClient,
  plan: Pick<PublishPlan, 'runId' | 'notModified' | 'compared'>,
  published: PublishedSnapshot | undefined,
): Promise<boolean> {
  if (!(await isComparedWith(client, plan, published))) return false;
  if (plan.notModified.length === 0) return true;
  const same = `SELECT count(*) AS rows FROM stage.pages m JOIN stage.pages p USING (page, etag)
                 WHERE m.run_id = ${plan.runId} AND m.not_modified AND p.run_id = ${published?.runId ?? 0}`;
  return (await countOf(client, same)) === plan.notModified.length;
}

/** A page whose rows are all staged was compared with none, and says the same of any. */
async function isComparedWith(
  client: PoolClient,
  { runId, compared }: Pick<PublishPlan, 'runId' | 'compared'>,
  published: PublishedSnapshot | undefined,
): Promise<boolean> {
  if (compared && compared.publishedRun !== published?.runId) return false;
  const { rows } = await client.query(
    'SELECT FROM stage.pages WHERE run_id = $1 AND compared_with <> $2 LIMIT 1',
    [runId, compared?.publishedRun ?? 0],
  );
  return rows.length === 0;
}

/** Locks the row of the published snapshot, which serialises the publishers of a target. The first one inserts it. */
export async function lockPublishedSnapshot(
  client: PoolClient,
  key: ResourceKey,
): Promise<PublishedSnapshot | undefined> {
  const published = await readPublishedSnapshot(client, key, true);
  if (published) return published;
  await client.query(
    `INSERT INTO published_sets (collector, target, resource, run_id, read_at, pages, rows) VALUES ($1, $2, $3, 0, now(), 0, 0)
     ON CONFLICT DO NOTHING`,
    [key.collector, key.target, key.resource ?? ''],
  );
  return readPublishedSnapshot(client, key, true);
}

/** The number that a statement returns as `rows`. */
export async function countOf(
  client: PoolClient,
  text: string,
  values: readonly unknown[] = [],
): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(text, [...values]);
  return rows[0]?.rows ?? 0;
}
