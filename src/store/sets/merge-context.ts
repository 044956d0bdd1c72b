import type { PoolClient } from 'pg';
import type { PublishPlan } from './publish-plan.ts';
import type { PublishedSnapshot } from './published-snapshots.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';

/** What all merges work with: the transaction, and the snapshot that is published now. */
export interface MergeContext {
  readonly client: PoolClient;
  readonly spec: SnapshotSpec;
  readonly plan: PublishPlan;
  readonly previous: PublishedSnapshot | undefined;
}
