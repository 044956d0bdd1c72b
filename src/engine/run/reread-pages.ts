import type { PublishPlan } from '../../store/sets/publish-plan.ts';
import { readRunAge } from '../../store/sets/runs.ts';
import { dropPages, type PageRecord } from '../../store/sets/stage.ts';
import type { SnapshotCheck } from './check-snapshot.ts';
import { range } from './read-pages.ts';
import type { RunContext } from './run-context.ts';
import { chunksOf } from './run-driver.ts';
import type { Step } from './run-steps.ts';

type Torn = Pick<SnapshotCheck & { state: 'torn' }, 'reason' | 'pages' | 'stale' | 'notBefore'>;

/**
 * Another run has published a snapshot since: pages that answered 304 to ETags of the one before, or were compared with it,
 * are read again when they have expired.
 */
export function rereadStalePages(
  context: RunContext,
  records: readonly PageRecord[],
  { pages, expires }: PublishPlan,
): Promise<Step> {
  const reason = 'another snapshot was published while this one was read';
  const stale = records
    .filter(({ notModified, comparedWith }) => notModified || comparedWith !== undefined)
    .map(({ page }) => page);
  return rereadPages(context, records, { reason, pages, stale, notBefore: expires?.getTime() });
}

/** Drops the stale pages of a torn snapshot, so that they are read again. */
export async function rereadPages(
  { engine, run }: RunContext,
  records: readonly PageRecord[],
  { reason, pages, stale, notBefore }: Torn,
): Promise<Step> {
  engine.log.info({ ...run, reason }, 'the snapshot is torn and is read again');
  await dropPages(engine.db, run.runId, stale);
  const present = new Set(records.map(({ page }) => page).filter((page) => !stale.includes(page)));
  const missing = range(1, pages).filter((page) => !present.has(page));
  const chunks = chunksOf(missing);
  return { state: 'read', run, pages, chunks, ...(notBefore === undefined ? {} : { notBefore }) };
}

/** Staging tables are unlogged: after a crash of the database server they are empty, and all pages are read again. */
export async function rereadAll({ engine, run }: RunContext): Promise<Step> {
  engine.log.warn(
    { ...run },
    'staged pages are missing, probably after a crash of the database server; reading them again',
  );
  await dropPages(engine.db, run.runId, []); // with the enrichments that were staged after the crash
  const { expires } = await readRunAge(engine.db.pool, run.runId);
  const notBefore = expires === undefined ? {} : { notBefore: expires.getTime() };
  return { state: 'read', run, pages: 1, chunks: [{ from: 1, to: 1 }], ...notBefore };
}
