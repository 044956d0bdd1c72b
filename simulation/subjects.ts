import type { Queryable } from '../src/store/database.ts';
import { canonicalRow, canonicalSql, type Columns } from './canonical.ts';
import { DOUBTFUL, type Row, type Source, type Version } from './source.ts';

/** What is wrong with what the product did, in words. */
export type Finding = string;

/** A round that has ended. */
export interface RoundEnd {
  /** Nothing went wrong in it, and nothing of earlier rounds goes on. */
  readonly isClean: boolean;
  readonly outcome: string;
}

/** One resource, what ESI says of it, and the judgement of what is stored. */
export interface Subject {
  readonly name: string;
  readonly source: Source;
  /** Whether something was published. */
  readonly isPublished: boolean;
  /** Compares what is stored after a round with what it must be. */
  check(db: Queryable, end: RoundEnd): Promise<Finding[]>;
  /** The same at the end, when nothing goes wrong any more. */
  finish(db: Queryable): Promise<Finding[]>;
}

export interface SubjectOptions {
  readonly source: Source;
  readonly collector: string;
  readonly target: string;
  /** Empty where the collector reads one route. */
  readonly resource: string;
  readonly table: string;
  /** The condition of its rows in the table. */
  readonly where: string;
  readonly columns: Columns;
  /** The column of the table for a field of ESI. */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** What is stored of a subject, at one moment. */
export interface Stored {
  readonly at: number | undefined;
  /** Rows as canonical texts, by key. */
  readonly rows: ReadonlyMap<string, string>;
  readonly runs: readonly StoredRun[];
}

export interface StoredRun {
  readonly id: number;
  readonly outcome: string | null;
  readonly at: number | undefined;
  readonly counts: readonly [inserted: number, changed: number, removed: number];
}

/** What all judgements need: the stored rows, and ESI's rows in the same form. */
export class Table {
  readonly options: SubjectOptions;
  private readonly keyColumns: readonly string[];

  constructor(options: SubjectOptions) {
    this.options = options;
    this.keyColumns = options.source.options.key.map((field) => options.renamed?.[field] ?? field);
  }

  /** A row of ESI as it is stored. */
  canonical(row: Row): string {
    const renamed = Object.entries(this.options.renamed ?? {}).map(([field, column]) => [column, row[field]]);
    return canonicalRow(this.options.columns, { ...row, ...Object.fromEntries(renamed) });
  }

  async read(db: Queryable, afterRun: number): Promise<Stored> {
    const { collector, target, resource, table, where, columns } = this.options;
    const key = `concat_ws('/', ${this.keyColumns.map((column) => `b.${column}::text`).join(', ')})`;
    const { rows } = await db.query<{
      at: Date | null;
      rows: [string, unknown][] | null;
      runs: (Omit<StoredRun, 'at'> & { at: string | null })[] | null;
    }>(
      `SELECT (SELECT last_modified FROM published_sets p WHERE collector = $1 AND target = $2 AND resource = $3) AS at,
              (SELECT json_agg(json_build_array(${key}, ${canonicalSql(columns, 'b')})) FROM ${table} b WHERE ${where}) AS rows,
              (SELECT json_agg(json_build_object('id', run_id, 'outcome', outcome, 'at', last_modified,
                               'counts', json_build_array(rows_inserted, rows_changed, rows_removed)) ORDER BY run_id)
                 FROM collection_runs WHERE collector = $1 AND target = $2 AND resource = $3 AND run_id > $4) AS runs`,
      [collector, target, resource, afterRun],
    );
    const [found] = rows;
    return {
      at: found?.at?.getTime(),
      rows: new Map((found?.rows ?? []).map(([id, row]) => [id, JSON.stringify(row)])),
      runs: (found?.runs ?? []).map(({ at, ...run }) => ({
        ...run,
        at: at === null ? undefined : Date.parse(at),
      })),
    };
  }
}

/** Differences of two states, in words. */
export function compareStates(
  what: string,
  actual: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
  isFree: (key: string) => boolean = () => false,
): Finding[] {
  const findings: Finding[] = [];
  for (const [key, row] of expected) {
    if (isFree(key)) continue;
    const found = actual.get(key);
    if (found === undefined) findings.push(`${what}: row ${key} is lost, it should be ${row}`);
    else if (found !== row) findings.push(`${what}: row ${key} is ${found} instead of ${row}`);
  }
  for (const [key, row] of actual)
    if (!expected.has(key) && !isFree(key)) findings.push(`${what}: row ${key} should not be there: ${row}`);
  return findings;
}

/** A list that is all there is: what is published must be one version, and past states must stay as they were. */
export class SnapshotSubject implements Subject {
  readonly name: string;
  readonly source: Source;
  private readonly table: Table;
  /** SQL that returns the rows of a past moment ($1). */
  private readonly pastRows: string;
  private readonly moments: { at: number; state: ReadonlyMap<string, string> }[] = [];
  private state: ReadonlyMap<string, string> = new Map();
  private at = 0;
  private lastRun = 0;
  /** Keys whose stored row cannot be told, because a torn snapshot was published. */
  private isLoose = false;

  constructor(options: SubjectOptions, pastRows: string) {
    this.table = new Table(options);
    this.source = options.source;
    this.name = `${options.collector} ${options.target}`;
    this.pastRows = pastRows;
  }

  get isPublished(): boolean {
    return this.at > 0;
  }

  async check(db: Queryable, { isClean, outcome }: RoundEnd): Promise<Finding[]> {
    const stored = await this.table.read(db, this.lastRun);
    const findings: Finding[] = [];
    for (const run of stored.runs) findings.push(...this.follow(run, stored));
    this.lastRun = stored.runs.findLast(({ outcome: ended }) => ended !== null)?.id ?? this.lastRun;
    if ((stored.at ?? 0) !== this.at)
      findings.push(`${this.name}: no run tells how ${time(stored.at)} was published`);
    if (!this.isLoose) findings.push(...compareStates(this.name, stored.rows, this.state));
    this.state = stored.rows;
    if (isClean && outcome !== 'not-due') findings.push(...this.checkNewest(outcome, stored));
    return findings;
  }

  async finish(db: Queryable): Promise<Finding[]> {
    const findings: Finding[] = [];
    const { columns } = this.table.options;
    for (const { at, state } of this.moments) {
      const { rows } = await db.query<{ key: string; row: unknown }>(
        `SELECT ${this.source.options.key[0]}::text AS key, ${canonicalSql(columns, 'b')} AS row FROM ${this.pastRows} b`,
        [new Date(at)],
      );
      const past = new Map(rows.map(({ key, row }) => [key, JSON.stringify(row)]));
      findings.push(...compareStates(`${this.name} as it was at ${time(at)}`, past, state));
    }
    return findings;
  }

  /** Follows what a run published. */
  private follow({ id, outcome, at = 0, counts }: StoredRun, stored: Stored): Finding[] {
    const version = this.source.versionAt(at);
    if (at <= this.at || !version) return [];
    if (outcome === 'torn' && stored.at === at) {
      this.at = at;
      this.isLoose = true;
      this.moments.push({ at, state: stored.rows });
      return this.checkTorn(stored);
    }
    if (outcome !== 'published' && outcome !== 'unchanged') return [];
    const before = this.state;
    const wasLoose = this.isLoose;
    const expected = this.expect(version, stored.rows);
    this.at = at;
    this.isLoose = false;
    this.state = expected;
    this.moments.push({ at, state: expected });
    const doubt = version.fault !== undefined && DOUBTFUL.has(version.fault);
    return [
      ...(doubt ? [`${this.name}: run ${id} believed a snapshot with ${version.fault} at once`] : []),
      ...(outcome === 'published' && !wasLoose
        ? checkCounts(`${this.name}: run ${id}`, before, expected, counts)
        : []),
    ];
  }

  /** The rows that are to be stored once a version is published. */
  private expect(version: Version, stored: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const expected = new Map<string, string>();
    for (const row of version.rows) {
      const key = this.source.keyOf(row);
      const known = this.isLoose ? stored.get(key) : this.state.get(key);
      if (!version.bad.has(key)) expected.set(key, this.table.canonical(row));
      else if (known !== undefined) expected.set(key, known);
    }
    // Something without a key may be any of the rows that seem absent.
    if (version.fault === 'keyless')
      for (const [key, row] of this.isLoose ? stored : this.state)
        if (!expected.has(key)) expected.set(key, row);
    return expected;
  }

  /** A torn snapshot is of several versions, but each of its rows is of one of them. */
  private checkTorn(stored: Stored): Finding[] {
    const rows = new Set(
      this.source.versions.flatMap((version) => version.rows.map((row) => this.table.canonical(row))),
    );
    return [...stored.rows.values()]
      .filter((row) => !rows.has(row))
      .map((row) => `${this.name}: invented ${row}`);
  }

  /** After a run without trouble the newest version is published, whatever moment the product believes it to show. */
  private checkNewest(outcome: string, stored: Stored): Finding[] {
    const newest = this.source.versions.at(-1)!;
    if ((newest.fault !== undefined && DOUBTFUL.has(newest.fault)) || outcome === 'refused') return [];
    const isFree = (key: string) => newest.bad.has(key) || newest.fault === 'keyless';
    const expected = this.expect(newest, stored.rows);
    return [
      ...(this.at >= newest.at
        ? []
        : [
            `${this.name}: a run without trouble ended as ${outcome}, but ${time(newest.at)} is not published`,
          ]),
      ...compareStates(`${this.name} after a run without trouble`, stored.rows, expected, isFree),
    ];
  }
}

function checkCounts(
  what: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  [inserted, changed, removed]: StoredRun['counts'],
): Finding[] {
  const news = [...after.keys()].filter((key) => !before.has(key)).length;
  const changes = [...after].filter(([key, row]) => before.has(key) && before.get(key) !== row).length;
  const gone = [...before.keys()].filter((key) => !after.has(key)).length;
  if (news === inserted && changes === changed && gone === removed) return [];
  return [
    `${what} counts ${inserted} new, ${changed} changed, ${removed} removed instead of ${news}, ${changes}, ${gone}`,
  ];
}

export const time = (at: number | undefined): string =>
  at === undefined || at === 0 ? 'nothing' : new Date(at).toISOString().slice(5, 19);
