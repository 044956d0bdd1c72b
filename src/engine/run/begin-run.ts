import type { AnyResource } from '../../collectors/define.ts';
import { readPublishedSnapshot, storeExpires } from '../../store/sets/published-snapshots.ts';
import {
  closeAbandoned,
  deleteEmptyRun,
  findRunResult,
  openRun,
  readRunAge,
  type RunKey,
} from '../../store/sets/runs.ts';
import { createStage, dropOldStages, type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { enrichRun } from './enrich-run.ts';
import { publishRun } from './publish-run.ts';
import { readBackwards } from './read-backwards.ts';
import { range, readChunk } from './read-pages.ts';
import { pagesBackwards, snapshotSpec } from './resources.ts';
import type { RunContext } from './run-context.ts';
import { chunksOf, runRef } from './run-driver.ts';
import type { Step } from './run-steps.ts';

/** Milliseconds. `Expires` has whole seconds, and ESI has the next snapshot shortly after. */
const EXPIRES_MARGIN = 500;

/**
 * First step of a run: requests nothing before `Expires`, opens the run, reads page 1, and when that is the only page,
 * enriches and publishes it in the same step. Safe to repeat: a workflow run finds its run and its page again.
 */
export async function beginRun(
  engine: EngineContext,
  resource: AnyResource,
  key: RunKey,
  step: StepContext,
): Promise<Step> {
  const { pool } = engine.db;
  const spec = snapshotSpec(resource, key);
  // Read before the result, because a concurrent step that publishes closes the run with it.
  const previous = await readPublishedSnapshot(pool, key);
  const earlier = await findRunResult(pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  const now = engine.clock.now();
  const due = previous?.expires ? previous.expires.getTime() + EXPIRES_MARGIN : 0;
  if (due > now) return { state: 'wait', until: due };
  const runId = await openRun(pool, key, new Date(now));
  // Together, because the next run would not know what the abandoned ones have read.
  await engine.db.transaction(async (client) =>
    storeExpires(client, key, await closeAbandoned(client, key, runId, new Date(now))),
  );
  await dropOldStages(pool, spec, runId);
  const context = { engine, step, run: runRef(key, runId), resource, spec, previous };
  const expires = await findUnfinishedExpiry(context);
  if (expires > now) {
    const ended = await findRunResult(pool, key); // a concurrent step has published the set
    if (ended) return { state: 'done', summary: ended };
    await deleteEmptyRun(pool, key); // another run has published the set, and nothing was run
    return { state: 'wait', until: expires + EXPIRES_MARGIN };
  }
  const pages = pagesBackwards(resource) ? await readList(context) : await readFirstPage(context);
  if (pages === 1) {
    await enrichRun(context);
    return publishRun(context, false);
  }
  await createStage(pool, spec, runId); // before several chunks write at once
  const notBefore = await postponedStart(context);
  return {
    state: 'read',
    run: context.run,
    pages,
    chunks: chunksOf(range(2, pages)),
    ...(notBefore === undefined ? {} : { notBefore }),
  };
}

/**
 * When the pages expire that were read for this set and are lost: with a run that was killed, or in a crash of the database
 * server (ms); 0 where nothing is lost.
 */
async function findUnfinishedExpiry(context: RunContext): Promise<number> {
  const { engine, run, spec } = context;
  const { pool } = engine.db;
  const published = await readPublishedSnapshot(pool, spec);
  const { expires } = await readRunAge(pool, run.runId);
  if (await readFirstRecord(context)) return 0; // read last: it is stored together with its Expires
  return Math.max(published?.expires?.getTime() ?? 0, expires?.getTime() ?? 0);
}

/** A list that is paged backwards is read as a whole, and counts as one page. */
async function readList(context: RunContext): Promise<number> {
  await readBackwards(context);
  return 1;
}

/** Reads page 1 and returns how many pages there are. */
async function readFirstPage(context: RunContext): Promise<number> {
  await readChunk(context, { from: 1, to: 1 });
  return (await readFirstRecord(context))?.pages ?? 1;
}

async function readFirstRecord({ engine, run }: RunContext): Promise<PageRecord | undefined> {
  return (await readPageRecords(engine.db.pool, run.runId)).find(({ page }) => page === 1);
}

/**
 * When the rest of a snapshot cannot be read before it expires, but the next one can: the moment to start reading. How
 * long a snapshot lives is what the published one showed: `Expires` less Last-Modified.
 */
async function postponedStart(context: RunContext): Promise<number | undefined> {
  const { engine, previous } = context;
  const page = await readFirstRecord(context);
  if (!page?.expires || !previous?.expires || !previous.lastModified) return undefined;
  const left = page.expires - engine.clock.now();
  const needed = (page.pages / engine.settings.esiRateLimit) * 60_000;
  const lifetime = previous.expires.getTime() - previous.lastModified.getTime();
  return left > 0 && needed > left && needed < lifetime ? page.expires + EXPIRES_MARGIN : undefined;
}
