import { between, pick, type Random } from '../simulator/random.ts';

/** A row as ESI serves it. An id beyond 2^53 is a bigint. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * What may be wrong with the rows of a version. Of the last four a careful reader has doubts until the next version:
 * `odd`: a row with an unknown field, and null where ESI leaves a field out. `bad`: a row with an impossible value.
 * `keyless`: something without a key. `repeated`: the same row twice. `conflict`: two different rows of one key.
 * `short`: rows are missing from a page that is not the last. `collapse`: most rows are missing. `half`: all rows of one kind.
 */
export type RowFault = 'odd' | 'bad' | 'keyless' | 'repeated' | 'conflict' | 'short' | 'collapse' | 'half';

/** Faults that the next version has to contradict. */
export const DOUBTFUL: ReadonlySet<RowFault> = new Set(['conflict', 'short', 'collapse', 'half']);

/** What ESI has of a source until it expires. */
export interface Version {
  /** Last-Modified (ms, whole seconds). */
  readonly at: number;
  readonly expires: number;
  /** What is true. */
  readonly rows: readonly Row[];
  /** What is served, by page. */
  readonly pages: readonly (readonly unknown[])[];
  readonly fault: RowFault | undefined;
  /** The keys of rows that are served with an impossible value. */
  readonly bad: ReadonlySet<string>;
}

export interface SourceOptions {
  /** As the requests name it, e.g. `/markets/10000002/orders`. */
  readonly path: string;
  readonly cacheSeconds: number;
  /** Rows of a page; undefined: the list has no pages. */
  readonly pageSize: number | undefined;
  /** Pages go backwards by this field, as `from_id` asks. */
  readonly backwards?: string;
  /** The columns of the key. */
  readonly key: readonly string[];
  readonly random: Random;
  /** The rows of the next version. */
  readonly evolve: (at: number) => readonly Row[];
  /** Faults that its rows may have. */
  readonly faults: readonly RowFault[];
  /** A row with an impossible value. */
  readonly spoil: (row: Row) => Row;
  /** A row as it may be written too, without another meaning. */
  readonly rewrite: (row: Row) => Row;
  /** Whether a row is one of those that `half` leaves out. */
  readonly isOfHalf?: (row: Row) => boolean;
}

/** Versions of a list that nobody reads are not kept, but their changes are. */
const MAX_CHANGES = 12;

/** One list of ESI, and all its versions. */
export class Source {
  readonly options: SourceOptions;
  readonly versions: Version[] = [];
  /** What is wrong with the next version. */
  nextFault: RowFault | undefined;

  constructor(options: SourceOptions, start: number) {
    this.options = options;
    this.add(start - between(options.random, 1, options.cacheSeconds - 1) * 1_000);
  }

  keyOf(row: Row): string {
    return this.options.key.map((column) => String(row[column])).join('/');
  }

  /** The version that ESI has now. */
  current(now: number): Version {
    const cache = this.options.cacheSeconds * 1_000;
    const last = this.versions.at(-1)!;
    const elapsed = Math.floor((now - last.expires) / cache) + 1;
    if (elapsed <= 0) return last;
    for (let change = 1; change < Math.min(elapsed, MAX_CHANGES); change++)
      this.options.evolve(last.at + change * cache);
    return this.add(last.expires + (elapsed - 1) * cache);
  }

  /** The version that a published Last-Modified belongs to. */
  versionAt(at: number): Version | undefined {
    return this.versions.findLast((version) => version.at <= at);
  }

  private add(start: number): Version {
    const at = Math.floor(start / 1_000) * 1_000;
    const rows = this.options.evolve(at);
    const fault = this.nextFault;
    this.nextFault = undefined;
    const bad = new Set<string>();
    const pages = this.serve(rows, fault, bad);
    const version = { at, expires: at + this.options.cacheSeconds * 1_000, rows, pages, fault, bad };
    this.versions.push(version);
    return version;
  }

  private serve(rows: readonly Row[], fault: RowFault | undefined, bad: Set<string>): unknown[][] {
    const { random, spoil, rewrite, isOfHalf, pageSize } = this.options;
    const served: unknown[] = [...rows];
    const any = () => between(random, 0, rows.length - 1);
    const replace = (index: number, change: (row: Row) => Row) => {
      if (rows[index]) served[index] = change(rows[index]);
    };
    if (fault === 'odd') for (let count = 0; count < 3; count++) replace(any(), rewrite);
    if (fault === 'bad') {
      const index = any();
      replace(index, spoil);
      if (rows[index]) bad.add(this.keyOf(rows[index]));
    }
    if (fault === 'keyless') served.splice(any(), 0, pick(random, [null, {}, 'row']));
    if (fault === 'repeated' && rows.length > 0) served.push(served[any()]);
    if (fault === 'conflict' && rows.length > 0) served.push(rewriteValue(rows[any()]!));
    if (fault === 'collapse') served.splice(Math.floor(rows.length * 0.3));
    if (fault === 'half' && isOfHalf) return this.paginate(served.filter((row) => !isOfHalf(row as Row)));
    const pages = this.paginate(served);
    if (fault === 'short' && pageSize !== undefined && pages.length > 1)
      pages[between(random, 0, pages.length - 2)]!.splice(between(random, 0, pageSize - 1), 1);
    return pages;
  }

  private paginate(rows: readonly unknown[]): unknown[][] {
    const { pageSize = Math.max(1, rows.length) } = this.options;
    const pages: unknown[][] = [];
    for (let from = 0; from < Math.max(1, rows.length); from += pageSize)
      pages.push(rows.slice(from, from + pageSize));
    return pages;
  }
}

/** A row of the same key that says something else. */
function rewriteValue(row: Row): Row {
  const [field, value] =
    Object.entries(row).findLast(
      ([name, value]) => name !== 'order_id' && name !== 'item_id' && typeof value === 'number',
    ) ?? [];
  return field === undefined ? row : { ...row, [field]: (value as number) + 1 };
}
