import type { Database } from '../database.ts';
import { closeInferred } from './close-inferred.ts';
import { isBasedOn, lockPublishedSnapshot } from './preconditions.ts';
import type { PublishPlan } from './publish-plan.ts';
import {
  storeExpires,
  type SuspectReason,
  writePublishedSnapshot,
  writeSuspect,
} from './published-snapshots.ts';
import { closeRun } from './runs.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';
import { dropStage } from './stage.ts';

/**
 * Confirms the published snapshot for a later moment, when every page answered 304. It keeps its stage. False when
 * another snapshot is published by now, of which these pages say nothing.
 */
export async function confirmSnapshot(
  db: Database,
  spec: SnapshotSpec,
  plan: Pick<
    PublishPlan,
    'runId' | 'at' | 'expires' | 'notModified' | 'compared' | 'keylessReadings' | 'now'
  >,
): Promise<boolean> {
  return db.transaction(async (client) => {
    const previous = await lockPublishedSnapshot(client, spec);
    const isNewer = previous?.lastModified === undefined || plan.at > previous.lastModified;
    if (isNewer && !(await isBasedOn(client, plan, previous))) return false;
    const isConfirmed = isNewer || plan.at.getTime() === previous?.lastModified?.getTime();
    const { expires } = plan;
    if (previous && isConfirmed) {
      const { keylessReadings } = plan;
      const published = { ...previous, lastModified: plan.at, expires, keylessReadings };
      await writePublishedSnapshot(client, spec, published, plan.now);
      await closeInferred(client, spec, { runId: previous.runId, at: plan.at, keylessReadings });
    }
    if (!isConfirmed) await storeExpires(client, spec, expires);
    // A snapshot older than the published one was never published, so no state of its moment is known.
    const lastModified = isConfirmed ? plan.at : undefined;
    await closeRun(client, plan.runId, { outcome: 'unchanged', lastModified, expires }, plan.now);
    await dropStage(client, plan.runId);
    return true;
  });
}

/** Records what a later snapshot has to confirm, while the run goes on. */
export async function markSuspect(
  db: Database,
  spec: SnapshotSpec,
  plan: Pick<PublishPlan, 'at' | 'expires' | 'rows' | 'keylessReadings'>,
  reason: SuspectReason,
): Promise<void> {
  await db.transaction(async (client) => {
    await lockPublishedSnapshot(client, spec);
    await writeSuspect(client, spec, suspectOf(plan, reason));
  });
}

const suspectOf = (
  {
    at: lastModified,
    expires,
    rows,
    keylessReadings,
  }: Pick<PublishPlan, 'at' | 'expires' | 'rows' | 'keylessReadings'>,
  reason: SuspectReason | undefined,
) => ({ expires, keylessReadings, suspect: reason && { reason, lastModified, rows, isAccepted: false } });

/**
 * Closes the run of a snapshot that is rejected, or torn and not to be published in part. Nothing is requested again
 * before the snapshot expires. `reason`: what the next snapshot may confirm.
 */
export async function rejectSnapshot(
  db: Database,
  spec: SnapshotSpec,
  plan: Pick<PublishPlan, 'runId' | 'at' | 'expires' | 'rows' | 'now' | 'torn' | 'keylessReadings'>,
  detail: string,
  reason: SuspectReason | undefined,
): Promise<void> {
  await db.transaction(async (client) => {
    await lockPublishedSnapshot(client, spec);
    const { at: lastModified, expires } = plan;
    await writeSuspect(client, spec, suspectOf(plan, reason));
    const outcome = plan.torn === undefined ? 'refused' : 'torn';
    await closeRun(client, plan.runId, { outcome, lastModified, expires, error: detail }, plan.now);
    await dropStage(client, plan.runId);
  });
}
