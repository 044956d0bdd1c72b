import type { EsiAuth, EsiRequest, EsiResponse } from '../../esi/esi-request.ts';
import { requestUrl } from '../../esi/esi-request.ts';
import { EsiError } from '../../esi/esi-error.ts';
import { factOf } from '../../esi/facts/routes.ts';
import type { ExactInt } from '../../lib/exact-int.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { describeError } from '../../lib/errors.ts';
import { readEtags, readKnownPages } from '../../store/sets/etags.ts';
import type { OldestRow } from '../../store/sets/oldest-row.ts';
import { storeExpires } from '../../store/sets/published-snapshots.ts';
import { countRequests, readRunAge, recordMissingPage, recordPageFailure } from '../../store/sets/runs.ts';
import { encodePage, readPageRecords, type StagedPage, stagePages } from '../../store/sets/stage.ts';
import { withoutUnchanged } from '../compare/compare-page.ts';
import { KeyList, toKey } from '../compare/key-list.ts';
import { withAccess } from '../owners/with-access.ts';
import type { RunContext } from './run-context.ts';
import { CHUNK_SIZE } from './run-driver.ts';
import type { Chunk } from './run-steps.ts';
import { findUnknownFields, recordUnknownFields } from './unknown-fields.ts';
import { badShape, rowsOf, validateRows } from './validate-rows.ts';

/** Pages written to the database together; more would only take memory. */
const PAGES_PER_WRITE = 10;

/**
 * Reads and stages the pages of a chunk that are not staged yet. Safe to repeat, and to run twice at once. Returns the
 * number of pages read.
 */
export async function readChunk(context: RunContext, chunk: Chunk): Promise<number> {
  const { engine, run, resource, spec, step } = context;
  return withAccess(engine, spec.parsedTarget, resource.route, step, async (auth) => {
    const before = await readPageRecords(engine.db.pool, run.runId);
    const isFirst = chunk.from === 1 && !before.some(({ page }) => page === 1);
    const firstPages = isFirst ? await readFirstPage(context, auth) : 0;
    const records = isFirst ? await readPageRecords(engine.db.pool, run.runId) : before;
    const first = records.find(({ page }) => page === 1);
    // Page 1 is always read first. Without it the database server has crashed, and every page is to be read again.
    if (!first) return firstPages;
    const { missingPage = Infinity } = await readRunAge(engine.db.pool, run.runId);
    const staged = new Set(records.map(({ page }) => page));
    const last = Math.min(chunk.to, first.pages, missingPage - 1);
    const others = range(chunk.from, last).filter((page) => !staged.has(page));
    return firstPages + (await readPages(context, auth, others));
  });
}

/**
 * Reads page 1. Where it announces many more pages than are published, the last one is read next: if that does not exist,
 * the count is wrong, and each page that is missing would cost an error.
 */
async function readFirstPage(context: RunContext, auth: EsiAuth | undefined): Promise<number> {
  const { engine, run, previous } = context;
  await readPages(context, auth, [1]);
  const records = await readPageRecords(engine.db.pool, run.runId);
  const pages = records.find(({ page }) => page === 1)?.pages ?? 1;
  const isPlausible = pages <= Math.max(CHUNK_SIZE, 2 * (previous?.pages ?? 0));
  // A page that is staged already was read before page 1 was read again.
  if (isPlausible || records.some(({ page }) => page === pages)) return 1;
  const hasLast = (await readPages(context, auth, [pages])) === 1;
  if (!hasLast) await recordMissingPage(engine.db.pool, run.runId, 2);
  return hasLast ? 2 : 1;
}

/**
 * Reads and stages pages, as many at once as the client sends. A page whose published rows are still known is requested
 * conditionally: a 304 costs one token instead of two, and no work. The first page that does not exist ends the reading. A
 * page of a list that only grows may fail alone. Returns the number of pages staged.
 */
async function readPages(
  context: RunContext,
  auth: EsiAuth | undefined,
  pages: readonly number[],
): Promise<number> {
  const { engine, spec, run, step } = context;
  const requests = await pageRequests(context, auth, pages);
  const ready: StagedPage[] = [];
  let count = 0;
  let writing = Promise.resolve();
  const writeReady = () =>
    stagePages(engine.db, spec, run.runId, ready.splice(0, PAGES_PER_WRITE), new Date(engine.clock.now()));
  const ends = new Map(pages.map((page) => [page, new AbortController()]));
  await allSettledOrThrow(
    requests.map(async ({ page, request }) => {
      const end = ends.get(page)!.signal;
      const signal = step.signal ? AbortSignal.any([end, step.signal]) : end;
      const staged = await readPage(context, page, { ...request, signal }).catch(async (error: unknown) => {
        if (end.aborted && !step.signal?.aborted) return undefined;
        if (await leaveOut(context, page, error)) return LEFT_OUT;
        throw error;
      });
      if (staged === LEFT_OUT) return;
      if (!staged) for (const [other, controller] of ends) if (other > page) controller.abort();
      if (!staged) return;
      ready.push(staged);
      // Pages that arrive during a write go together with the next one.
      writing = writing.then(() => (ready.length > 0 ? writeReady() : undefined));
      await writing;
      count++;
    }),
  );
  return count;
}

/** A page that the others are published without. */
const LEFT_OUT = Symbol('left out');

/**
 * Whether the other pages are published without one that ESI fails for: the rows of a list that only grows stand for
 * themselves, and the next run reads the page again. Not page 1, which states how many there are. Records the reason.
 */
export async function leaveOut(
  { engine, spec, run }: RunContext,
  page: number,
  error: unknown,
): Promise<boolean> {
  const isAlone = error instanceof EsiError && error.isOfRoute;
  if (spec.change.policy !== 'append' || page === 1 || !isAlone) return false;
  await recordPageFailure(engine.db.pool, run.runId, describeError(error));
  return true;
}

/** The requests of pages, conditional where the rows of the published page are still known. */
export async function pageRequests(
  { engine, resource, spec, previous, step }: RunContext,
  auth: EsiAuth | undefined,
  pages: readonly number[],
): Promise<{ page: number; request: EsiRequest }[]> {
  const requests = pages.map((page) => {
    const request: EsiRequest = {
      route: resource.route,
      params: Object.fromEntries(spec.targetColumns),
      query: { ...resource.query, ...(page > 1 ? { page: String(page) } : {}) },
      auth,
      signal: step.signal,
      heartbeat: () => step.heartbeat?.({ page }),
      ...(step.priority === undefined ? {} : { priority: step.priority }),
    };
    return { page, request };
  });
  if (!previous) return requests;
  const known = await readKnownPages(engine.db.pool, spec, previous.runId);
  const urls = requests.filter(({ page }) => known.has(page)).map(({ request }) => requestUrl(request));
  if (urls.length === 0) return requests;
  const etags = await readEtags(engine.db.pool, previous.runId, urls);
  return requests.map(({ page, request }) => ({
    page,
    request: { ...request, etag: etags.get(requestUrl(request)) },
  }));
}

/**
 * Reads one page and encodes its rows; undefined when ESI says that it does not exist. `after`: only rows that come after
 * the oldest staged ones are taken.
 */
export async function readPage(
  context: RunContext,
  page: number,
  request: EsiRequest,
  after?: OldestRow & { readonly field: string },
): Promise<StagedPage | undefined> {
  const { engine, previous, run } = context;
  try {
    const response = await engine.esi.get(request);
    const notModified = response.status === 304;
    return {
      page,
      pages: response.pages ?? (notModified ? (previous?.pages ?? 1) : 1),
      url: response.url,
      etag: notModified ? request.etag : response.etag,
      lastModified: response.lastModified,
      expires: response.expires,
      notModified,
      requests: response.requests,
      ...(notModified ? NO_ROWS : await readRows(context, page, response, after)),
    };
  } catch (error) {
    if (!(error instanceof EsiError)) throw error;
    await countRequests(engine.db.pool, run.runId, error.requests);
    if (error.status === 404 && page > 1) {
      await recordMissingPage(engine.db.pool, run.runId, page);
      return undefined; // the list has shrunk since page 1 was read, or page 1 misstated its length
    }
    throw error;
  }
}

/** Rows of a page that are searched for unknown fields in any case. */
const SEARCHED = 10;

/** What a page says of its rows. */
type PageRows = Pick<StagedPage, 'rows' | 'rejected' | 'copy' | 'keys' | 'comparedWith'>;

/** A page that answered 304 says nothing of its rows. */
const NO_ROWS: PageRows = {
  rows: 0,
  rejected: [],
  copy: Buffer.alloc(0),
  keys: undefined,
  comparedWith: undefined,
};

/**
 * The rows of an answer: those that are as published are counted, the others validated and encoded. `after` as in
 * readPage.
 */
async function readRows(
  context: RunContext,
  page: number,
  response: EsiResponse,
  after: (OldestRow & { readonly field: string }) | undefined,
): Promise<PageRows> {
  const { engine, resource, spec, previous } = context;
  const all = await listRows(context, page, response);
  const keys = new KeyList();
  const published = spec.comparesRows ? await engine.snapshots.find(spec, previous) : undefined;
  const comparedWith = published?.runId; // read with the comparison: both change when this process publishes
  const toValidate = published
    ? withoutUnchanged(context, published, engine.snapshots.fingerprinter, all, keys)
    : all;
  const validated = await validateRows(resource, toValidate);
  // Unchanged rows were searched when they were new; a field that all rows gain is found in the first ones.
  const outer = response.json === all ? [] : [response.json].flat();
  const searched = [...outer, ...toValidate, ...all.slice(0, SEARCHED)];
  await recordUnknownFields(engine, resource, findUnknownFields(resource, searched));
  const { rejected } = validated;
  const valid = after ? validated.valid.filter((row) => isAfter(row, after)) : validated.valid;
  for (const row of [...valid, ...rejected.map(({ key }) => key)]) {
    const key = toKey(row?.[spec.key[0]!]);
    if (key !== undefined) keys.add(key);
  }
  return {
    rows: all.length - toValidate.length + valid.length,
    rejected,
    copy: encodePage(spec, page, valid, rejected),
    keys: spec.comparesRows ? keys.encode() : undefined,
    comparedWith,
  };
}

/** Whether a row of a list that pages backwards is not staged yet. ESI repeats the row that `from_id` names. */
function isAfter(
  row: Readonly<Record<string, unknown>>,
  { field, id, isStaged }: OldestRow & { readonly field: string },
): boolean {
  const own = BigInt(row[field] as ExactInt);
  const oldest = BigInt(id);
  return own < oldest || (own === oldest && !isStaged(row));
}

/** ESI's smallest page size: a shorter first page is the only one. */
const SMALLEST_PAGE = 1_000;

/** The list of an answer. The `Expires` of an answer of a bad shape is recorded. Throws AppError ESI_BAD_SHAPE. */
async function listRows(
  { engine, resource, run }: Pick<RunContext, 'engine' | 'resource' | 'run'>,
  page: number,
  response: EsiResponse,
): Promise<readonly unknown[]> {
  try {
    const rows = rowsOf(resource, response.json);
    const isOnlyPage = page === 1 && rows.length < SMALLEST_PAGE;
    if (response.pages === undefined && factOf(resource.route).paged && !isOnlyPage)
      throw badShape(`ESI answered ${resource.route} without X-Pages, so the number of pages is unknown.`);
    return rows;
  } catch (error) {
    await storeExpires(engine.db.pool, run, response.expires);
    throw error;
  }
}

/** The whole numbers from `from` to `to`, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}
