import type { AnyRouteCollector } from '../collectors/define.ts';
import { type PublishedSet, readPublishedSet } from '../store/published-sets.ts';
import { closeAbandoned, findRunResult, openRun, type RunKey } from '../store/runs.ts';
import { createStage, type PageRecord, readPageRecords } from '../store/stage.ts';
import type { Ports, StepContext } from './ports.ts';
import { publish } from './publish.ts';
import { range, readChunk } from './read-pages.ts';
import { setSpec } from './set-spec.ts';
import { chunksOf, type Step } from './steps.ts';

/** `Expires` has whole seconds; a breath later the new set is there. */
const BREATH = 500;

/**
 * First step of a run: asks nothing before `Expires`, opens the run, reads page 1, and when that is all there is,
 * publishes at once. Safe to repeat: the same workflow run finds its run and its page again.
 */
export async function begin(
  ports: Ports,
  collector: AnyRouteCollector,
  key: RunKey,
  context: StepContext,
): Promise<Step> {
  const spec = setSpec(collector, key.target);
  const previous = await readPublishedSet(ports.db.pool, key.collector, key.target);
  const now = ports.clock.now();
  const earlier = await findRunResult(ports.db.pool, key);
  if (earlier) return { state: 'done', summary: earlier };
  const due = previous?.expires ? previous.expires.getTime() + BREATH : 0;
  if (due > now) return { state: 'wait', until: due, why: 'ESI has nothing newer' };
  const runId = await openRun(ports.db.pool, key, new Date(now));
  await closeAbandoned(ports.db.pool, key, runId, new Date(now));
  await createStage(ports.db, spec, runId);
  const run = { collector: key.collector, target: key.target, runId };
  await readChunk(ports, collector, run, { from: 1, to: 1 }, context);
  const page = (await readPageRecords(ports.db.pool, runId)).find((record) => record.page === 1);
  const pages = page?.pages ?? 1;
  if (pages === 1) return publish(ports, collector, run, { final: false });
  const next = page && betterWait(ports, page, previous);
  return {
    state: 'read',
    runId,
    pages,
    chunks: chunksOf(range(2, pages)),
    ...(next === undefined ? {} : { notBefore: next + BREATH }),
  };
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
