import type { AnyResource } from '../../collectors/define.ts';
import { type EsiResponse, type EsiAuth, type EsiRequest, requestUrl } from '../../esi/esi-request.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { factOf } from '../../esi/facts/routes.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { readEtags, readKnownPages } from '../../store/sets/etags.ts';
import { storeExpires, type PublishedSnapshot, readPublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import { countRequests } from '../../store/sets/runs.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import { encodePage, readPageRecords, type StagedPage, stagePages } from '../../store/sets/stage.ts';
import { withAccess } from '../owners/with-access.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { snapshotSpec } from './resources.ts';
import { badShape, validateRows, type ValidatedRows } from './validate-rows.ts';
import type { Chunk, RunRef } from './run-steps.ts';

/** Pages that wait for the database together; more would only fill memory. */
const PAGES_PER_WRITE = 10;

const NO_ROWS: ValidatedRows = { kept: [], rejected: [] };
const NOTHING = Buffer.alloc(0);

/** A set and its run, the set that stands, and whose token goes along: what it takes to read pages. */
export interface Reading {
  readonly engine: EngineContext;
  readonly set: AnyResource;
  readonly spec: SnapshotSpec;
  readonly run: RunRef;
  readonly previous: PublishedSnapshot | undefined;
  readonly auth: EsiAuth | undefined;
  readonly context: StepContext;
}

/** Does what reads pages of a run's set: in the name of somebody who may, where it is an owner's. */
export async function withReading<T>(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  context: StepContext,
  read: (reading: Reading) => Promise<T>,
): Promise<T> {
  const spec = snapshotSpec(set, run);
  const previous = await readPublishedSnapshot(engine.db.pool, run);
  return withAccess(engine, spec.targetId, set.route, context, (auth) =>
    read({ engine, set, spec, run, previous, auth, context }),
  );
}

/**
 * Reads and stages pages of a set, as many at once as the client sends. Conditional where the last set's rows of a
 * page can still be had: a 304 costs one token instead of two, and no work. Returns the pages staged; a page that ESI
 * says does not exist is left out.
 */
export async function readPages(reading: Reading, pages: readonly number[]): Promise<StagedPage[]> {
  const { engine, spec, run } = reading;
  const requests = await prepare(reading, pages);
  const done: StagedPage[] = [];
  const ready: StagedPage[] = [];
  let writing = Promise.resolve();
  const write = () =>
    stagePages(engine.db, spec, run.runId, ready.splice(0, PAGES_PER_WRITE), new Date(engine.clock.now()));
  await allSettledOrThrow(
    requests.map(async ({ page, request }) => {
      const staged = await readPage(reading, page, request);
      if (!staged) return;
      ready.push(staged);
      // Behind a write in progress pages gather, and go together with the next one.
      writing = writing.then(() => (ready.length > 0 ? write() : undefined));
      await writing;
      done.push({ ...staged, rejected: [], copy: NOTHING });
    }),
  );
  return done;
}

export async function prepare(
  { engine, set, spec, previous, auth, context }: Reading,
  pages: readonly number[],
): Promise<{ page: number; request: EsiRequest }[]> {
  const held = previous ? await readKnownPages(engine.db.pool, spec, previous.runId) : new Set<number>();
  const requests = pages.map((page) => ({
    page,
    request: {
      route: set.route,
      params: Object.fromEntries(spec.own),
      auth,
      query: { ...set.query, ...(page > 1 ? { page: String(page) } : {}) },
      signal: context.signal,
      ...(context.priority === undefined ? {} : { priority: context.priority }),
      heartbeat: () => context.heartbeat?.({ page }),
    } as EsiRequest,
  }));
  const urls = requests.filter(({ page }) => held.has(page)).map(({ request }) => requestUrl(request));
  const etags =
    urls.length > 0 ? await readEtags(engine.db.pool, previous?.runId ?? 0, urls) : new Map<string, string>();
  return requests.map(({ page, request }) => ({
    page,
    request: { ...request, etag: etags.get(requestUrl(request)) },
  }));
}

export async function readPage(
  reading: Reading,
  page: number,
  request: EsiRequest,
  wanted: (row: Readonly<Record<string, unknown>>) => boolean = () => true,
): Promise<StagedPage | undefined> {
  const { engine, spec, previous, run } = reading;
  try {
    const answer = await engine.esi.get(request);
    const notModified = answer.status === 304;
    const { kept: all, rejected } = notModified ? NO_ROWS : await understand(reading, page, answer);
    const kept = all.filter(wanted);
    return {
      page,
      pages: answer.pages ?? (notModified ? (previous?.pages ?? 1) : 1),
      url: answer.url,
      etag: notModified ? request.etag : answer.etag,
      // Without Last-Modified an answer stands for the moment it was given, in whole seconds as ESI's own.
      lastModified: answer.lastModified ?? new Date(Math.floor(engine.clock.now() / 1_000) * 1_000),
      expires: answer.expires,
      notModified,
      requests: answer.requests,
      rows: kept.length,
      rejected,
      copy: encodePage(spec, page, kept, rejected),
    };
  } catch (error) {
    if (!(error instanceof EsiError)) throw error;
    await countRequests(engine.db.pool, run.runId, error.requests);
    if (error.status === 404 && page > 1) return undefined; // the set has shrunk since page 1 was read
    throw error;
  }
}

/** ESI's smallest pages: a shorter first page is the only one. */
const SMALLEST_PAGE = 1_000;

/** The rows of an answer. Where it makes no sense, its `Expires` holds all the same. Throws AppError ESI_BAD_SHAPE. */
async function understand({ engine, set, run }: Reading, page: number, answer: EsiResponse): Promise<ValidatedRows> {
  try {
    const sifted = validateRows(set, answer.json);
    const isOnly = page === 1 && sifted.kept.length + sifted.rejected.length < SMALLEST_PAGE;
    if (answer.pages === undefined && factOf(set.route).paged && !isOnly)
      throw badShape(`ESI answered ${set.route} without X-Pages, so how many pages there are is not known.`);
    return sifted;
  } catch (error) {
    await storeExpires(engine.db.pool, run, answer.expires);
    throw error;
  }
}

/** One chunk of a run: reads what is not staged yet. Safe to repeat, and to run beside a twin. Gives the pages read. */
export async function readChunk(
  engine: EngineContext,
  set: AnyResource,
  run: RunRef,
  chunk: Chunk,
  context: StepContext,
): Promise<number> {
  const pages = await withReading(engine, set, run, context, async (reading) => {
    const staged = new Set((await readPageRecords(engine.db.pool, run.runId)).map((record) => record.page));
    const missing = range(chunk.from, chunk.to).filter((page) => !staged.has(page));
    return readPages(reading, missing);
  });
  return pages.length;
}

/** The whole numbers from `from` to `to`, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}
