import type { Queryable } from '../src/store/database.ts';
import type { OwnOrders } from './sources/own-orders.ts';
import type { Row, Source } from './source.ts';
import {
  compareStates,
  type Finding,
  type RoundEnd,
  type Subject,
  type SubjectOptions,
  Table,
  time,
} from './subjects.ts';

/** A list that only grows: a row that was read stays, word for word, and no other comes. */
export class GrowingSubject implements Subject {
  readonly name: string;
  readonly source: Source;
  protected readonly table: Table;
  private before: ReadonlyMap<string, string> = new Map();
  private at = 0;

  constructor(options: SubjectOptions) {
    this.table = new Table(options);
    this.source = options.source;
    this.name = `${options.collector} ${options.target} ${options.resource}`;
  }

  get isPublished(): boolean {
    return this.at > 0;
  }

  async check(db: Queryable, { isClean, outcome }: RoundEnd): Promise<Finding[]> {
    const { at = 0, rows } = await this.table.read(db, 0);
    const known = new Map<string, string>();
    for (const version of this.source.versions)
      for (const row of version.rows) known.set(this.source.keyOf(row), this.table.canonical(row));
    const findings: Finding[] = [];
    for (const [key, row] of this.before)
      if (rows.get(key) !== row) findings.push(`${this.name}: row ${key} was ${row} and is ${rows.get(key)}`);
    for (const [key, row] of rows)
      if (known.get(key) !== row)
        findings.push(`${this.name}: row ${key} is ${row} instead of ${known.get(key)}`);
    this.before = rows;
    this.at = at;
    // A list that a terminated run has read is not due yet, though others of the collector are.
    if (isClean && outcome !== 'not-due' && this.isPublished) findings.push(...this.checkWhole(rows));
    return findings;
  }

  finish(_db: Queryable): Promise<Finding[]> {
    return Promise.resolve(
      this.isPublished ? this.checkWhole(this.before) : [`${this.name}: nothing is published`],
    );
  }

  /** Whether all rows that ESI lists are stored. */
  private checkWhole(rows: ReadonlyMap<string, string>): Finding[] {
    const version = this.source.versionAt(this.at)!;
    return version.rows
      .filter((row) => !version.bad.has(this.source.keyOf(row)) && !rows.has(this.source.keyOf(row)))
      .map(
        (row) => `${this.name}: row ${this.source.keyOf(row)} is lost, ESI listed it at ${time(version.at)}`,
      );
  }
}

/** A journal, whose gaps are found by its balance. */
export class JournalSubject extends GrowingSubject {
  override async finish(db: Queryable): Promise<Finding[]> {
    const { where } = this.table.options;
    const { rows } = await db.query<{ id: number; cents: number; amount: number }>(
      `SELECT journal_id AS id, (balance * 100)::bigint AS cents, (amount * 100)::bigint AS amount
         FROM wallet_journal b WHERE ${where} ORDER BY journal_id`,
    );
    const gaps = await db.query<{ id: number }>(
      `SELECT before_journal_id AS id FROM wallet_journal_gaps b WHERE ${where}`,
    );
    const expected = rows
      .filter(({ cents, amount }, index) => index > 0 && cents - amount !== rows[index - 1]!.cents)
      .map(({ id }): [string, string] => [String(id), 'gap']);
    const found = gaps.rows.map(({ id }): [string, string] => [String(id), 'gap']);
    return [
      ...(await super.finish(db)),
      ...compareStates(`${this.name}, gaps`, new Map(found), new Map(expected)),
    ];
  }
}

/** A value of which each change is stored. */
export class BalanceSubject implements Subject {
  readonly name: string;
  readonly source: Source;
  private readonly where: string;
  private readonly options: SubjectOptions;
  isPublished = false;
  private runs = 0;

  constructor(options: SubjectOptions) {
    this.options = options;
    this.source = options.source;
    this.where = options.where;
    this.name = `${options.collector} ${options.target} ${options.resource}`;
  }

  async check(db: Queryable, { isClean, outcome }: RoundEnd): Promise<Finding[]> {
    const { collector, target, resource } = this.options;
    const { rows } = await db.query<{ at: Date; balance: string }>(
      `SELECT observed_at AS at, balance::text FROM wallet_balances b WHERE ${this.where} ORDER BY observed_at`,
    );
    const published = await db.query<{ at: Date | null; runs: number }>(
      `SELECT last_modified AS at, (SELECT count(*)::int FROM collection_runs r WHERE r.collector = $1 AND r.target = $2
                                      AND r.resource = $3) AS runs
         FROM published_sets WHERE collector = $1 AND target = $2 AND resource = $3`,
      [collector, target, resource],
    );
    const at = published.rows[0]?.at?.getTime();
    const { runs = 0 } = published.rows[0] ?? {};
    const wasDue = runs > this.runs;
    this.runs = runs;
    this.isPublished = at !== undefined;
    const truth = (moment: number) => this.balanceOf(this.source.versionAt(moment)?.rows[0]);
    const findings = rows.flatMap((row, index) => {
      const expected = truth(row.at.getTime());
      if (row.balance !== expected)
        return [`${this.name}: ${row.balance} at ${time(row.at.getTime())} instead of ${expected}`];
      return row.balance === rows[index - 1]?.balance
        ? [`${this.name}: ${row.balance} is stored twice in a row`]
        : [];
    });
    const last = rows.at(-1)?.balance;
    if (at !== undefined && last !== truth(at))
      findings.push(`${this.name}: the newest balance is ${last} instead of ${truth(at)}`);
    const newest = this.source.versions.at(-1)!;
    if (isClean && wasDue && (at ?? 0) < newest.at)
      findings.push(
        `${this.name}: a run without trouble ended as ${outcome}, but ${time(newest.at)} is not published`,
      );
    return findings;
  }

  finish(): Promise<Finding[]> {
    return Promise.resolve([]);
  }

  private balanceOf(row: Row | undefined): string | undefined {
    return row && (row['balance'] as number).toFixed(2);
  }
}

/** A character's orders, by both routes: each stays, and ends as it did in truth. */
export class OrdersSubject implements Subject {
  readonly name: string;
  readonly source: Source;
  private readonly table: Table;
  private readonly history: Table;
  private readonly orders: OwnOrders;
  private at = 0;
  /** When the last rounds began, in which nothing goes wrong. */
  settledAt = Infinity;

  constructor(options: SubjectOptions, orders: OwnOrders) {
    this.table = new Table(options);
    this.history = new Table({ ...options, source: orders.history, resource: 'history' });
    this.source = options.source;
    this.orders = orders;
    this.name = `${options.collector} ${options.target}`;
  }

  get isPublished(): boolean {
    return this.at > 0;
  }

  async check(db: Queryable): Promise<Finding[]> {
    const { at = 0, rows } = await this.table.read(db, 0);
    this.at = at;
    const version = this.source.versionAt(at);
    if (!version) return [];
    return version.rows
      .filter((row) => !version.bad.has(this.source.keyOf(row)) && !rows.has(this.source.keyOf(row)))
      .map(
        (row) =>
          `${this.name}: order ${this.source.keyOf(row)} is lost, ESI listed it at ${time(version.at)}`,
      );
  }

  async finish(db: Queryable): Promise<Finding[]> {
    const { where } = this.table.options;
    const { at = 0 } = await this.table.read(db, 0);
    const { at: historyAt = 0 } = await this.history.read(db, 0);
    const { rows } = await db.query<{ id: string; state: string; isOpen: boolean }>(
      `SELECT order_id::text AS id, state, left_at IS NULL AND state = 'active' AS "isOpen" FROM character_orders b WHERE ${where}`,
    );
    const before = this.orders.statesAt(Math.min(this.settledAt, at, historyAt));
    const now = this.orders.statesAt(Math.max(at, historyAt));
    return rows.flatMap(({ id, state, isOpen }) => {
      const ended = before.get(id);
      if (ended !== undefined && ended !== 'active' && state !== ended)
        return [`${this.name}: order ${id} is ${state}, but was ${ended} before the last rounds`];
      if (now.get(id) === 'active' && !isOpen)
        return [`${this.name}: order ${id} is ${state}, but it is open`];
      return [];
    });
  }
}
