import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { closeEnrichment } from '../../store/sets/enrichments.ts';
import { createStage, hasStage, readPageRecords } from '../../store/sets/stage.ts';
import { resolveReferences } from '../universe/resolve-references.ts';
import { newestMoment } from './check-snapshot.ts';
import { momentOf } from './plan-publication.ts';
import { readEnrichments } from './read-enrichments.ts';
import type { RunContext } from './run-context.ts';

/**
 * Fetches what the staged rows lack before they are published: rows of unknown ids that they refer to, and the columns
 * that other routes fill. Afterwards every referenced id has a row, fetched or a marked placeholder. Safe to repeat.
 */
export async function enrichRun(context: RunContext): Promise<void> {
  const { engine, spec, run } = context;
  const { pool } = engine.db;
  const needsColumns = spec.enrichments.length > 0 && (await isNewer(context));
  // Where no row is new or changed there is no stage, and no new reference either.
  if (needsColumns) await createStage(pool, spec, run.runId);
  else if (spec.references.length === 0 || !(await hasStage(pool, run.runId))) return;
  const [{ newTypes }, attempt] = await allSettledOrThrow([
    resolveReferences(context),
    needsColumns ? readEnrichments(context) : undefined,
  ]);
  // Whether a row can have a name depends on its type, so rows of new types were not requested yet.
  if (needsColumns && newTypes > 0) await readEnrichments(context);
  if (attempt !== undefined) await closeEnrichment(pool, run.runId, attempt);
}

/** Whether the staged pages are newer than the published snapshot: otherwise they will not be published. */
async function isNewer({ engine, run, previous }: RunContext): Promise<boolean> {
  const records = await readPageRecords(engine.db.pool, run.runId);
  const now = engine.clock.now();
  const at = momentOf(newestMoment(records, now), previous, now);
  return at > (previous?.lastModified?.getTime() ?? 0);
}
