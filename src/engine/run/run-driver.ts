import { mapConcurrent } from '../../lib/concurrency.ts';
import { formatTime } from '../../lib/format.ts';
import type { Chunk, RunRef, RunSteps, RunSummary, Step } from './run-steps.ts';

/**
 * Pages of a chunk: at 300 requests a minute a chunk of 20 takes 4 s alone and some 20 s beside others, and a run over
 * 1,700 pages takes 85 activities instead of 1,700.
 */
export const CHUNK_SIZE = 20;

/** A snapshot that is still torn at the third attempt is published as far as it was seen. */
export const MAX_ATTEMPTS = 3;

/** Chunks at once: two fill the client's twenty connections, the third keeps them full while one is written. */
const CHUNK_CONCURRENCY = 3;

/** Where a run is driven: in a workflow by activities and timers, elsewhere directly. */
export interface RunHost {
  readonly steps: RunSteps;
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Milliseconds that the run may wait for ESI's next snapshot; a longer wait ends it as `not-due`. */
  readonly maxWait: number;
  /** Shows people how far the run is. */
  show(progress: string): void;
}

/** Drives one run from its first step to its end: begin, read, enrich, publish; again while the snapshot is torn. */
export async function driveRun(host: RunHost): Promise<RunSummary> {
  try {
    return await driveSteps(host);
  } catch (error) {
    // A cancelled or failed run is closed as well, or it would seem to be running for ever.
    await host.steps.close(error);
    throw error;
  }
}

/** The end of a run for which ESI has nothing newer before `until`. Both are milliseconds since the epoch. */
export function upToDate(until: number, now: number): RunSummary {
  const time = formatTime(new Date(until), new Date(now));
  const detail = `Already up to date. ESI's next update is at ${time}.`;
  return { outcome: 'not-due', detail, nextUpdate: until };
}

async function driveSteps(host: RunHost): Promise<RunSummary> {
  const { steps } = host;
  let step = await steps.begin();
  for (let attempt = 0; step.state !== 'done';) {
    if (step.state === 'wait') {
      if (step.until - host.now() > host.maxWait) return upToDate(step.until, host.now());
      const until = formatTime(new Date(step.until), new Date(host.now()));
      host.show(`waiting until ${until}, when ESI has a newer snapshot`);
      await sleepUntil(host, step.until);
      step = await steps.begin();
    } else if (step.state === 'continue') {
      host.show(formatProgress(step));
      attempt = 0;
      step = await steps.begin();
    } else {
      attempt++;
      await readPages(host, step, attempt);
      host.show('enriching and publishing');
      await steps.enrich(step.run);
      step = await steps.publish(step.run, attempt >= MAX_ATTEMPTS);
    }
  }
  host.show(formatSummary(step.summary));
  return step.summary;
}

async function readPages(host: RunHost, step: Step & { state: 'read' }, attempt: number): Promise<void> {
  const again = attempt === 1 ? '' : ` (attempt ${attempt}, because the snapshot was torn)`;
  const wait = (step.notBefore ?? 0) - host.now();
  if (wait > 0) host.show(`waiting ${Math.ceil(wait / 1_000)} s for the next snapshot${again}`);
  await sleepUntil(host, step.notBefore ?? 0);
  let done = step.pages - step.chunks.reduce((pages, { from, to }) => pages + to - from + 1, 0);
  const showPages = () => host.show(`${done} of ${step.pages} pages${again}`);
  showPages();
  const read = async (chunk: Chunk) => {
    await host.steps.readChunk(step.run, chunk);
    done += chunk.to - chunk.from + 1;
    showPages();
  };
  // Page 1 states how many pages there are, so nothing is read beside it.
  const [first, ...others] = step.chunks;
  if (first?.from === 1) await read(first);
  await mapConcurrent(first?.from === 1 ? others : step.chunks, CHUNK_CONCURRENCY, read);
}

async function sleepUntil(host: RunHost, moment: number): Promise<void> {
  const wait = moment - host.now();
  if (wait > 0) await host.sleep(wait);
}

/** `18:23 UTC` */
function formatProgress({ done, total, detail }: Step & { state: 'continue' }): string {
  const counts = total === undefined ? [] : [`${done ?? 0} of ${total}`];
  return [...counts, ...(detail ? [detail] : [])].join(', ');
}

function formatSummary({ outcome, inserted = 0, changed = 0, removed = 0, detail }: RunSummary): string {
  return `${outcome}: ${inserted} new, ${changed} changed, ${removed} removed${detail ? ` (${detail})` : ''}`;
}

/** The chunks that hold the given pages. */
export function chunksOf(pages: readonly number[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const page of pages.toSorted((a, b) => a - b)) {
    const last = chunks.at(-1);
    if (last && page <= last.to) continue;
    if (last && page === last.to + 1 && page - last.from < CHUNK_SIZE)
      chunks[chunks.length - 1] = { from: last.from, to: page };
    else chunks.push({ from: page, to: page });
  }
  return chunks;
}

/** The run that was opened for a key. */
export function runRef(
  key: { readonly collector: string; readonly target: string; readonly resource?: string | undefined },
  runId: number,
): RunRef {
  const { collector, target, resource } = key;
  return { collector, target, ...(resource === undefined ? {} : { resource }), runId };
}
