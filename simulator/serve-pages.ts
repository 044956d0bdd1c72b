import type { CacheTimes } from './cache-times.ts';
import { packJson, type Body } from './packed-body.ts';
import type { Call } from './esi-call.ts';
import {
  errorContent,
  pageNotFound,
  requestedPage,
  type Content,
  type RouteContext,
} from './route-content.ts';
import type { RowSet } from './row-set.ts';

/** A snapshot of rows that is served now. */
export interface ServedRows<T> extends CacheTimes {
  rows: RowSet<T>;
  version: string;
  /** The packed rows of a section, kept between calls. */
  body(from: number, to: number): Body;
}

/** A source of rows that are served in pages. */
export interface RowSource<T> {
  /** Identifies the source: a read of it may be torn. */
  key: string;
  /** Rows per page. A source without it is not paged. */
  size?: number;
  read(): ServedRows<T>;
  /** Takes a new snapshot now. */
  takeSnapshot: () => void;
}

/** The sources, by world, whose page 1 has been served and that have not been torn since. */
const started = new WeakMap<object, Set<string>>();

/** Applies the tear fault: the first later page of a read finds a new snapshot. */
function tear<T>(
  { world, activeFaults }: RouteContext,
  call: Call,
  { key, takeSnapshot }: RowSource<T>,
  isFirst: boolean,
): void {
  const reads = started.get(world) ?? new Set();
  started.set(world, reads);
  if (isFirst) reads.add(key);
  else if (reads.has(key) && activeFaults.take(['tear'], call)) {
    reads.delete(key);
    takeSnapshot();
  }
}

/** The rows as the mutateRows fault changes them; undefined when it is not enabled. */
export function mutateRows(
  context: RouteContext,
  call: Call,
  rows: readonly unknown[],
): unknown[] | undefined {
  const fault = context.activeFaults.take(['mutateRows'], call);
  return fault && rows.map((row) => fault.change(row as never)).filter((row) => row !== null);
}

/** A section of a source: a page and the number of pages. */
interface Section {
  from: number;
  to: number;
  page: number;
  pages: number;
}

/** The section as faults change it; undefined when none applies. */
function applyRowFaults<T>(
  context: RouteContext,
  call: Call,
  rows: RowSet<T>,
  { from, to, page, pages }: Section,
): unknown[] | undefined {
  const { activeFaults } = context;
  if (activeFaults.take(['emptyPage'], call, (fault) => (fault.page ?? page) === page)) return [];
  const duplicate = page === pages ? activeFaults.take(['duplicateRow'], call) : undefined;
  if (duplicate) {
    const [first] = rows.slice(0, 1) as Record<string, unknown>[];
    return [...rows.slice(from, to), duplicate.change?.(first!) ?? first];
  }
  if (page === Math.ceil(pages / 2) && activeFaults.take(['dropRow'], call)) {
    const list = rows.slice(from, to);
    return list.toSpliced(Math.floor(list.length / 2), 1);
  }
  return activeFaults.has(['mutateRows'], call) ? mutateRows(context, call, rows.slice(from, to)) : undefined;
}

/** The first rows of a set, without a copy. */
function head<T>(rows: RowSet<T>, share: number): RowSet<T> {
  const length = Math.ceil(rows.length * share);
  return { length, slice: (from, to) => rows.slice(from, Math.min(to, length)) };
}

function contentOf<T>(
  context: RouteContext,
  call: Call,
  served: ServedRows<T>,
  rows: RowSet<T>,
  section: Section,
): Content {
  const { from, to } = section;
  const changedRows =
    applyRowFaults(context, call, rows, section) ?? (rows === served.rows ? undefined : rows.slice(from, to));
  const { lastModified, expires, version } = served;
  const body = changedRows ? packJson(changedRows) : served.body(from, to);
  return { status: 200, body, lastModified, expires, version, damaged: changedRows !== undefined };
}

function rowsOf<T>(context: RouteContext, call: Call, served: ServedRows<T>): RowSet<T> {
  const collapse = context.activeFaults.take(['collapse'], call);
  return collapse ? head(served.rows, collapse.share) : served.rows;
}

/** Serves a source in pages, or whole, with the faults applied. */
export function servePages<T>(context: RouteContext, call: Call, source: RowSource<T>): Content {
  const { size } = source;
  const page = size === undefined ? 1 : requestedPage(call);
  if (page === undefined) return errorContent(400, 'page: not a positive number');
  tear(context, call, source, page === 1);
  const served = source.read();
  const rows = rowsOf(context, call, served);
  const step = size ?? Math.max(1, rows.length);
  const pages = Math.max(1, Math.ceil(rows.length / step)); // a source without rows has one empty page
  if (page > pages) return pageNotFound(pages, served.version);
  const from = (page - 1) * step;
  const content = contentOf(context, call, served, rows, { from, to: from + step, page, pages });
  if (size === undefined) return content;
  const wrong = context.activeFaults.take(['wrongPages'], call, (fault) => page > 1 || fault.onAllPages);
  return {
    ...content,
    pages: wrong?.pages ?? pages,
    damaged: (content.damaged ?? false) || wrong !== undefined,
  };
}

/** Serves a source by descending id, newest first. An answer starts with the row of `from_id`. */
export function serveBackwards<T>(
  context: RouteContext,
  call: Call,
  source: RowSource<T>,
  idOf: (row: T) => number,
): Content {
  const { size = 1 } = source;
  const text = call.query.get('from_id');
  const fromId = text === null ? Number.POSITIVE_INFINITY : Number(text);
  if (!(fromId >= 0)) return errorContent(400, 'from_id: not a number');
  tear(context, call, source, text === null);
  const served = source.read();
  const rows = rowsOf(context, call, served);
  const all = rows.slice(0, rows.length);
  const first = all.findIndex((row) => idOf(row) <= fromId);
  const from = first < 0 ? rows.length : first;
  const pages = from + size >= rows.length ? 1 : 2;
  const page = text === null ? 1 : 2; // the numbers by which faults count pages
  return contentOf(context, call, served, rows, {
    from,
    to: from + size,
    page,
    pages: Math.max(page, pages),
  });
}
