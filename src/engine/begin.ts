import type { AnyRouteSet } from '../collectors/define.ts';
import { type PublishedSet, readPublishedSet } from '../store/published-sets.ts';
import { closeAbandoned, findRunResult, openRun, type RunKey } from '../store/runs.ts';
import { createStage, dropOldStages, type PageRecord, readPageRecords } from '../store/stage.ts';
import type { Ports, StepContext } from './ports.ts';
import { publish } from './publish.ts';
import { readBackwards } from './read-backwards.ts';
import { range, readChunk } from './read-pages.ts';
import { goesBackwards, setSpec } from './set-spec.ts';
import { chunksOf, type RunRef, type Step } from './steps.ts';

/** `Expires` has whole seconds; a breath later the new set is there. */
const BREATH = 500;

/**
 * First step of a run: asks nothing before `Expires`, opens the run, reads page 1, and when that is all there is,
 * publishes at once. Safe to repeat: the same workflow run finds its run and its page again.
 */
export async function begin(
  ports: Ports,
  set: AnyRouteSet,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const spec = setSpec(set, key);
  const previous = await readPublishedSet(ports.db.pool, key);
  const now = ports.clock.now();
  const earlier = await findRunResult(ports.db.pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  const due = previous?.expires ? previous.expires.getTime() + BREATH : 0;
  if (due > now) return { state: 'wait', until: due, why: 'ESI has nothing newer' };
  const runId = await openRun(ports.db.pool, key, new Date(now));
  await closeAbandoned(ports.db.pool, key, runId, new Date(now));
  await dropOldStages(ports.db.pool, spec, runId);
  const run = runOf(key, runId);
  if (goesBackwards(set)) {
    await readBackwards(ports, set, run, context);
    return publish(ports, set, run, { final: false });
  }
  await readChunk(ports, set, run, { from: 1, to: 1 }, context);
  const page = (await readPageRecords(ports.db.pool, runId)).find((record) => record.page === 1);
  const pages = page?.pages ?? 1;
  if (pages === 1) return publish(ports, set, run, { final: false });
  await createStage(ports.db.pool, spec, runId); // before chunks write side by side
  const next = page && betterWait(ports, page, previous);
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
function betterWait(ports: Ports, page: PageRecord, previous: PublishedSet | undefined): number | undefined {
  if (!page.expires || !previous?.expires || !previous.lastModified) return undefined;
  const left = page.expires - ports.clock.now();
  const needed = (page.pages / ports.settings.esiRateLimit) * 60_000;
  const life = previous.expires.getTime() - previous.lastModified.getTime();
  return left > 0 && needed > left && needed < life ? page.expires : undefined;
}
