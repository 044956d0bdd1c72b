import type { AnyResource } from '../../collectors/define.ts';
import { type PublishedSnapshot, readPublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { closeAbandoned, findRunResult, openRun, type RunKey } from '../../store/sets/runs.ts';
import { createStage, dropOldStages, type PageRecord, readPageRecords } from '../../store/sets/stage.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { publish } from './publish-run.ts';
import { readBackwards } from './read-backwards.ts';
import { range, readChunk } from './read-pages.ts';
import { goesBackwards, snapshotSpec } from './resources.ts';
import { chunksOf, type RunRef, type Step } from './run-steps.ts';

/** `Expires` has whole seconds; a breath later the new set is there. */
const BREATH = 500;

/**
 * First step of a run: asks nothing before `Expires`, opens the run, reads page 1, and when that is all there is,
 * publishes at once. Safe to repeat: the same workflow run finds its run and its page again.
 */
export async function begin(
  engine: EngineContext,
  set: AnyResource,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const spec = snapshotSpec(set, key);
  const previous = await readPublishedSnapshot(engine.db.pool, key);
  const now = engine.clock.now();
  const earlier = await findRunResult(engine.db.pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  const due = previous?.expires ? previous.expires.getTime() + BREATH : 0;
  if (due > now) return { state: 'wait', until: due, why: 'ESI has nothing newer' };
  const runId = await openRun(engine.db.pool, key, new Date(now));
  await closeAbandoned(engine.db.pool, key, runId, new Date(now));
  await dropOldStages(engine.db.pool, spec, runId);
  const run = runOf(key, runId);
  if (goesBackwards(set)) {
    await readBackwards(engine, set, run, context);
    return publish(engine, set, run, { final: false });
  }
  await readChunk(engine, set, run, { from: 1, to: 1 }, context);
  const page = (await readPageRecords(engine.db.pool, runId)).find((record) => record.page === 1);
  const pages = page?.pages ?? 1;
  if (pages === 1) return publish(engine, set, run, { final: false });
  await createStage(engine.db.pool, spec, runId); // before chunks write side by side
  const next = page && betterWait(engine, page, previous);
  return {
    state: 'read',
    runId,
    pages,
    chunks: chunksOf(range(2, pages)),
    ...(next === undefined ? {} : { notBefore: next + BREATH }),
  };
}

function runOf({ collector, target, part }: RunKey, runId: number): RunRef {
  return { collector, target, ...(part === undefined ? {} : { part }), runId };
}

/**
 * When the rest of a set cannot be read before it expires, but the next one can: the moment to begin. How long a set
 * lives is what the last one showed: `Expires` less Last-Modified.
 */
function betterWait(engine: EngineContext, page: PageRecord, previous: PublishedSnapshot | undefined): number | undefined {
  if (!page.expires || !previous?.expires || !previous.lastModified) return undefined;
  const left = page.expires - engine.clock.now();
  const needed = (page.pages / engine.settings.esiRateLimit) * 60_000;
  const life = previous.expires.getTime() - previous.lastModified.getTime();
  return left > 0 && needed > left && needed < life ? page.expires : undefined;
}
