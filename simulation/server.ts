import { createHash } from 'node:crypto';
import { between, type Random } from '../simulator/random.ts';
import type { Source, Version } from './source.ts';

/** Faults of which the answer is a whole one with wrong headers. */
const MISSTATEMENTS = [
  'no-pages',
  'more-pages',
  'thousand-pages',
  'fewer-pages',
  'no-last-modified',
  'no-expires',
  'old-page',
] as const;
const MISSTATED: ReadonlySet<string> = new Set(MISSTATEMENTS);

/** What may happen to one request. */
export const REQUEST_FAULTS = [
  'reset',
  'cut',
  'status-500',
  'status-502',
  'status-503',
  'status-420',
  'status-429',
  'web-page',
  'no-content',
  ...MISSTATEMENTS,
  'slow',
] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];

/** By how much X-Pages is wrong. */
const WRONG_PAGES: Readonly<Record<string, number>> = {
  'more-pages': 3,
  'thousand-pages': 3_000,
  'fewer-pages': -1,
};

export interface SimulatedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly etag: string | undefined;
  readonly body: string;
}

export interface SimulatedAnswer {
  /** 0: the connection breaks before an answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The connection breaks in the middle of the body. */
  readonly isCut: boolean;
  /** Until when the same must not be requested again (ms); undefined where the answer says nothing of it. */
  readonly expires: number | undefined;
}

export interface ServerOptions {
  readonly sources: readonly Source[];
  readonly random: Random;
  readonly now: () => number;
  /** The name of an item, and whether there is such an item. */
  readonly nameOf: (itemId: number) => { name: string } | undefined;
}

/** ESI's tokens of one group in 15 minutes, small enough to run out of. */
export interface Budget {
  readonly tokens: number;
  readonly spent: { at: number; tokens: number }[];
}

const WINDOW = 900_000;

/** The simulated ESI of one world: it answers from the sources as they are now, with the faults that are asked for. */
export class Server {
  private readonly options: ServerOptions;
  /** Requests so far. */
  requests = 0;
  /** What befalls the request of each number. */
  faults = new Map<number, RequestFault>();
  /** Until when every request fails (ms). */
  outageUntil = 0;
  /** Milliseconds by which its clock is wrong. */
  clockError = 0;
  /** Limit of the market's group; undefined: large. */
  budget: Budget | undefined;
  /** Refusals of requests that a careful client would not have sent. */
  readonly overspent: string[] = [];
  /** Requests for pages that do not exist. */
  missing = 0;
  /** The path of a list that fails. */
  brokenPath: string | undefined;

  constructor(options: ServerOptions) {
    this.options = options;
  }

  answer(request: SimulatedRequest): SimulatedAnswer {
    const { now, random } = this.options;
    const fault = this.faults.get(this.requests++);
    if (now() < this.outageUntil) return random() < 0.5 ? failed(0) : failed(503);
    if (fault === 'reset') return failed(0);
    if (fault?.startsWith('status-')) return failed(Number(fault.slice(7)), refusalHeaders(fault));
    if (fault === 'web-page') return { ...failed(200), body: '<html>Bad gateway</html>' };
    if (fault === 'no-content') return failed(204);
    if (new URL(request.path, 'http://esi').pathname === this.brokenPath) return failed(500);
    const answer = this.budgeted(request, this.serve(request, fault));
    return {
      ...answer,
      isCut: fault === 'cut',
      ...(fault === 'cut' || MISSTATED.has(fault ?? '') ? { expires: undefined } : {}),
    };
  }

  /** Milliseconds that an answer takes. */
  latency(): number {
    const { random } = this.options;
    const isSlow = this.faults.get(this.requests) === 'slow';
    return isSlow ? between(random, 5_000, 14_000) : between(random, 20, 400);
  }

  private serve(
    { method, path, etag, body }: SimulatedRequest,
    fault: RequestFault | undefined,
  ): SimulatedAnswer {
    const { sources, now } = this.options;
    const url = new URL(path, 'http://esi');
    if (method === 'POST') return this.names(url.pathname, body);
    const source = sources.find((one) => one.options.path === url.pathname);
    if (!source) return failed(404);
    const version = source.current(now());
    const fromId = url.searchParams.get('from_id');
    const page = Number(url.searchParams.get('page') ?? 1);
    const isOld = fault === 'old-page' && page > 1;
    const shown = (isOld ? source.versions.at(-2) : undefined) ?? version;
    const rows =
      source.options.backwards === undefined ? shown.pages[page - 1] : backwardsPage(source, shown, fromId);
    if (!rows) this.missing++;
    if (!rows) return failed(404);
    return this.page(source, shown, rows, { etag, fault });
  }

  private page(
    { options }: Source,
    version: Version,
    rows: readonly unknown[],
    { etag, fault }: { etag: string | undefined; fault: RequestFault | undefined },
  ): SimulatedAnswer {
    const json = options.key.length === 0 ? String((rows[0] as { balance: number }).balance) : toJson(rows);
    const tag = `W/"${createHash('sha1').update(json).digest('hex')}"`;
    const isSame = etag === tag;
    const pages = version.pages.length + (WRONG_PAGES[fault ?? ''] ?? 0);
    const isPaged = options.pageSize !== undefined && options.backwards === undefined;
    // ESI's pages have a thousand rows or more, so a short first page without X-Pages is the only one. Ours are shorter.
    const hidesPages = fault === 'no-pages' && (version.pages.length === 1 || rows !== version.pages[0]);
    const headers = {
      date: this.httpDate(this.options.now()),
      ...(fault === 'no-expires' ? {} : { expires: this.httpDate(version.expires) }),
      ...(fault === 'no-last-modified' ? {} : { 'last-modified': this.httpDate(version.at) }),
      etag: tag,
      ...(isPaged && !hidesPages ? { 'x-pages': String(Math.max(1, pages)) } : {}),
    };
    return {
      status: isSame ? 304 : 200,
      headers,
      body: isSame ? '' : json,
      isCut: false,
      expires: version.expires,
    };
  }

  private httpDate(at: number): string {
    return new Date(at + this.clockError).toUTCString();
  }

  private names(path: string, body: string): SimulatedAnswer {
    const ids = JSON.parse(body) as number[];
    if (!path.endsWith('/assets/names')) return failed(404);
    const names = ids.map((id) => ({ item_id: id, ...this.options.nameOf(id) }));
    if (names.some(({ name }) => name === undefined)) return failed(404);
    return { ...failed(200), body: JSON.stringify(names) };
  }

  /** Counts the tokens of the market's group, and refuses what is over its limit. */
  private budgeted({ path }: SimulatedRequest, answer: SimulatedAnswer): SimulatedAnswer {
    const { budget } = this;
    const now = this.options.now();
    if (!budget || !path.startsWith('/markets/')) return answer;
    const used = budget.spent.reduce((sum, { at, tokens }) => sum + (at > now - WINDOW ? tokens : 0), 0);
    const isOver = used >= budget.tokens;
    const cost = answer.status >= 400 ? 5 : answer.status === 304 ? 1 : 2;
    if (!isOver) budget.spent.push({ at: now, tokens: cost });
    const headers = {
      'x-ratelimit-group': 'market-order',
      'x-ratelimit-limit': `${budget.tokens}/15m`,
      'x-ratelimit-remaining': String(Math.max(0, budget.tokens - used - cost)),
    };
    // The first answer tells of the limit; until then nobody can know it.
    if (isOver && budget.spent.length > 1)
      this.overspent.push(`${path} with ${used} of ${budget.tokens} tokens spent`);
    if (isOver) return { ...failed(429), headers: { ...headers, 'retry-after': '60' } };
    return { ...answer, headers: { ...answer.headers, ...headers } };
  }
}

const failed = (status: number, headers: Record<string, string> = {}): SimulatedAnswer => ({
  status,
  headers,
  body: status === 204 || status === 0 ? '' : '{"error":"simulated"}',
  isCut: false,
  expires: undefined,
});

const refusalHeaders = (fault: string): Record<string, string> =>
  fault === 'status-429'
    ? { 'retry-after': '7' }
    : fault === 'status-420'
      ? { 'x-esi-error-limit-reset': '9' }
      : {};

/** The rows from the one that `from_id` names on. */
function backwardsPage({ options }: Source, version: Version, fromId: string | null): unknown[] {
  const rows = version.pages.flat();
  const from = fromId === null ? 0 : rows.findIndex((row) => idOf(row, options.backwards!) <= Number(fromId));
  return from < 0 ? [] : rows.slice(from, from + options.pageSize!);
}

const idOf = (row: unknown, field: string): number =>
  (row as Record<string, number> | null)?.[field] ?? Number.NaN;

/** JSON with integers of any size. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `#${one}#` : one)).replaceAll(
    /"#(\d+)#"/g,
    '$1',
  );
