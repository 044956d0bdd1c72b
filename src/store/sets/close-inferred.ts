import type { PoolClient } from 'pg';
import { closeInferred as closeInferredSql } from './open-list.sql.ts';
import { countOf } from './preconditions.ts';
import { KEYLESS_READINGS, type PublishPlan } from './publish-plan.ts';
import type { SnapshotSpec } from './snapshot-spec.ts';

/**
 * Infers the end of rows that left their open list, see InferClosed, from the history that `runId` read, of the moment `at`.
 * Returns the number of rows closed. A row of the history that was rejected is listed nevertheless: nothing is inferred of
 * its key, and nothing at all where a rejected row has none, unless that has been so for several readings.
 */
export async function closeInferred(
  client: PoolClient,
  spec: SnapshotSpec,
  { runId, at, keylessReadings }: Pick<PublishPlan, 'runId' | 'at' | 'keylessReadings'>,
): Promise<number> {
  const text = closeInferredSql(spec);
  if (text === undefined) return 0;
  if (keylessReadings < KEYLESS_READINGS && !(await areRejectionsKnown(client, spec, runId))) return 0;
  return (await client.query(text, [at, spec.collector, spec.target, runId])).rowCount ?? 0;
}

/** Whether the key of every rejected row of a run is stored with the row. */
async function areRejectionsKnown(client: PoolClient, spec: SnapshotSpec, runId: number): Promise<boolean> {
  const rejected = await countOf(
    client,
    'SELECT coalesce(sum(rejected), 0)::bigint AS rows FROM stage.pages WHERE run_id = $1',
    [runId],
  );
  if (rejected === 0) return true;
  const known = `SELECT count(*) AS rows FROM rejected_rows
                  WHERE run_id = $1 AND jsonb_typeof(row -> '${spec.key[0]}') = 'number'`;
  return (await countOf(client, known, [runId])) >= rejected;
}
