import { ApplicationFailure, rootCause } from '@temporalio/common';
import { CancellationScope, isCancellation, setCurrentDetails, sleep } from '@temporalio/workflow';
import { type Chunk, LANES, MAX_ATTEMPTS, type RunRef, type RunSummary, type Step } from '../../engine/run/run-steps.ts';
import { esi, store } from './activity-proxies.ts';
import { mapConcurrent } from './lanes.ts';

/** Longer than any cache of ESI that a schedule would wait for: such a run ends, and the next one comes anyway. */
const PATIENCE = 2 * 3_600_000;

/** Each resolve gives every unknown id a row; a set that still names unknown ones after three is beyond help. */
const RESOLVES = 3;

/** One run of one target: begin, read the rest in chunks, publish; again when the set was torn. */
export async function collectOne(collector: string, target: string, patient: boolean): Promise<RunSummary> {
  try {
    return await runSteps(collector, target, patient);
  } catch (error) {
    // Also a cancelled or failed run is closed in collection_runs, or it would seem to be running for ever.
    await CancellationScope.nonCancellable(() => store.close(collector, target, reason(error)));
    throw error;
  }
}

async function runSteps(collector: string, target: string, patient: boolean): Promise<RunSummary> {
  let step: Step = await esi.begin(collector, target);
  for (let reading = 0, resolved = 0; ;) {
    if (step.state === 'done') return told(step.summary);
    if (step.state === 'wait') {
      const wait = step.until - Date.now();
      const until = new Date(step.until).toISOString();
      if (!patient || wait > PATIENCE) return { outcome: 'not-due', detail: `${step.why} before ${until}` };
      setCurrentDetails(`waits until ${until}: ${step.why} before`);
      await sleep(Math.max(1, wait));
      step = await esi.begin(collector, target);
      continue;
    }
    const part = 'part' in step && step.part !== undefined ? { part: step.part } : {};
    const run = { collector, target, ...part, runId: step.runId };
    if (step.state === 'more') {
      setCurrentDetails(`${step.done} of ${step.total}${step.detail ? `, ${step.detail}` : ''}`);
      [reading, resolved] = [0, 0];
      step = await esi.begin(collector, target);
    } else if (step.state === 'resolve') {
      setCurrentDetails('resolves ids that no table knows yet');
      if (++resolved > RESOLVES)
        throw ApplicationFailure.nonRetryable('Ids of this set cannot be resolved.', 'UNRESOLVED');
      await esi.resolve(run);
      step = await store.publish(run, reading >= MAX_ATTEMPTS);
    } else {
      [reading, resolved] = [reading + 1, 0];
      await readAll(run, step, reading);
      step = await store.publish(run, reading >= MAX_ATTEMPTS);
    }
  }
}

async function readAll(run: RunRef, step: Step & { state: 'read' }, reading: number): Promise<void> {
  const again = reading === 1 ? '' : ` (reading ${reading}: the set was torn)`;
  const wait = (step.notBefore ?? 0) - Date.now();
  if (wait > 0) {
    setCurrentDetails(`waits ${Math.ceil(wait / 1_000)} s for the next set${again}`);
    await sleep(wait);
  }
  let done = step.pages - step.chunks.reduce((pages, { from, to }) => pages + to - from + 1, 0);
  const show = () => setCurrentDetails(`${done} of ${step.pages} pages${again}`);
  show();
  await mapConcurrent(step.chunks, LANES, async (chunk: Chunk) => {
    await esi.readChunk.executeWithOptions({ summary: `pages ${chunk.from} to ${chunk.to}` }, [run, chunk]);
    done += chunk.to - chunk.from + 1;
    show();
  });
}

function told(summary: RunSummary): RunSummary {
  const { outcome, inserted = 0, changed = 0, removed = 0, detail } = summary;
  setCurrentDetails(
    `${outcome}: ${inserted} new, ${changed} changed, ${removed} gone${detail ? ` (${detail})` : ''}`,
  );
  return summary;
}

function reason(error: unknown): string {
  if (isCancellation(error)) return 'The run was cancelled.';
  return (rootCause(error) ?? String(error)).slice(0, 500);
}
