import type { PoolClient } from 'pg';
import type { Database } from '../database.ts';
import { settle } from './merge.ts';
import type { PublishPlan } from './publish-plan.ts';
import { storeExpires, writeDoubt, writePublishedSnapshot } from './published-snapshots.ts';
import { closeRun } from './runs.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';
import { dropStage } from './stage.ts';
import { lockPublishedSnapshot, isBasedOn } from './preconditions.ts';

/**
 * Every page answered 304: the set published last stands for a later moment as well, and keeps its stage. False when
 * another set stands by now, of which the pages say nothing.
 */
export async function confirmSnapshot(
  db: Database,
  spec: SnapshotSpec,
  plan: Pick<PublishPlan, 'runId' | 'at' | 'expires' | 'notModified' | 'now'>,
): Promise<boolean> {
  return db.transaction(async (client) => {
    const previous = await lockPublishedSnapshot(client, spec);
    const newer = previous?.lastModified === undefined || plan.at > previous.lastModified;
    if (newer && !(await isBasedOn(client, plan, previous))) return false;
    const stands = newer || plan.at.getTime() === previous?.lastModified?.getTime();
    if (previous && stands) {
      const set = { ...previous, lastModified: plan.at, expires: plan.expires };
      await writePublishedSnapshot(client, spec, set, plan.now);
      if (await isSound(client, previous.runId)) await settle(client, spec, plan.at);
    }
    const { expires } = plan;
    if (!stands) await storeExpires(client, spec, expires);
    // A set older than the one that stands was never published: no book is known for its moment.
    const lastModified = stands ? plan.at : undefined;
    await closeRun(client, plan.runId, { outcome: 'unchanged', lastModified, expires }, plan.now);
    await dropStage(client, plan.runId);
    return true;
  });
}

/** Whether every row of a published set could be read. Any of the others may tell of the row that seems not to be told of. */
async function isSound(client: PoolClient, runId: number): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM stage.pages WHERE run_id = $1 AND rejected > 0', [runId]);
  return rows.length === 0;
}

/**
 * A set that is not believed, or of which nothing is taken while it is torn: the run is closed as such, and nothing is asked again before the set expires.
 * `doubt`: the next set may confirm it.
 */
export async function rejectSnapshot(
  db: Database,
  spec: SnapshotSpec,
  plan: Pick<PublishPlan, 'runId' | 'at' | 'expires' | 'rows' | 'now' | 'torn'>,
  why: string,
  doubt: boolean,
): Promise<void> {
  await db.transaction(async (client) => {
    await lockPublishedSnapshot(client, spec);
    const { at: lastModified, expires } = plan;
    await writeDoubt(client, spec, {
      expires,
      doubt: doubt ? { lastModified, rows: plan.rows } : undefined,
    });
    const outcome = plan.torn === undefined ? 'refused' : 'torn';
    await closeRun(client, plan.runId, { outcome, lastModified, expires, error: why }, plan.now);
    await dropStage(client, plan.runId);
  });
}
