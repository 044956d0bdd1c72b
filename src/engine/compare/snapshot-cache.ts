import type { Clock } from '../../lib/clock.ts';
import { HOUR } from '../../lib/duration.ts';
import type { Database } from '../../store/database.ts';
import { readStoredRows, type StoredRow } from '../../store/sets/stored-rows.ts';
import type { PublishedSnapshot } from '../../store/sets/published-snapshots.ts';
import type { SnapshotSpec } from '../../store/sets/snapshot-spec.ts';
import { Fingerprinter } from './fingerprint.ts';
import { bytesOfRows, PublishedRows } from './published-rows.ts';

/** What a publication changed. */
export interface PublishedChange {
  readonly runId: number;
  /** Rows that were inserted or updated. */
  readonly stored: readonly StoredRow[];
  /** Keys of the rows that were removed. */
  readonly removed: readonly bigint[];
}

/** So long lasts what somebody changed in a table by hand, where ESI has not changed it since. */
const MAX_AGE = HOUR;

interface Entry {
  readonly rows: PublishedRows;
  /** When it was read from the table (ms). */
  readonly readAt: number;
}

/**
 * The published snapshots that this process knows, as keys and fingerprints. It is a cache of the tables and never the
 * truth: an entry belongs to one publication, and is read from the tables again when another process has published, and
 * once an hour.
 */
export class SnapshotCache {
  readonly fingerprinter = new Fingerprinter();
  private readonly db: Database;
  private readonly maxBytes: number;
  private readonly clock: Pick<Clock, 'now'>;
  private readonly entries = new Map<string, Entry>();
  private readonly loading = new Map<string, Promise<PublishedRows | undefined>>();

  /** `maxBytes` bounds the memory of all entries together: 21 bytes a row. */
  constructor({ db, maxBytes, clock }: { db: Database; maxBytes: number; clock: Pick<Clock, 'now'> }) {
    this.db = db;
    this.clock = clock;
    this.maxBytes = maxBytes;
  }

  /**
   * The published rows, to compare those of a new snapshot with. Undefined where nothing is published, and for the largest
   * snapshots when not all of them fit into the memory: their rows are compared in the database.
   */
  async find(
    spec: SnapshotSpec,
    published: PublishedSnapshot | undefined,
  ): Promise<PublishedRows | undefined> {
    if (!published || published.runId === 0) return undefined;
    const name = nameOf(spec);
    const known = this.entries.get(name);
    const isFresh = known !== undefined && this.clock.now() - known.readAt < MAX_AGE;
    if (isFresh && known.rows.runId === published.runId) return known.rows;
    this.entries.delete(name);
    if (!this.makeRoom(bytesOfRows(published.rows))) return undefined;
    const rows = await this.loadOnce(spec);
    if (rows) this.entries.set(name, { rows, readAt: this.clock.now() });
    return rows;
  }

  /** As `find`, but reads a snapshot that is too large to be kept as well. */
  async read(
    spec: SnapshotSpec,
    published: PublishedSnapshot | undefined,
  ): Promise<PublishedRows | undefined> {
    return (await this.find(spec, published)) ?? this.loadOnce(spec);
  }

  /** Follows a publication of this process on top of the one of `fromRun`, without reading the table again. */
  advance(spec: SnapshotSpec, fromRun: number, { runId, stored, removed }: PublishedChange): void {
    const rows = this.entries.get(nameOf(spec))?.rows;
    if (rows?.runId !== fromRun) return;
    for (const key of removed) rows.remove(key);
    for (const row of stored) this.add(rows, row);
    rows.runId = runId;
  }

  /** Forgets a snapshot, so that it is read from the tables again. */
  forget(spec: SnapshotSpec): void {
    this.entries.delete(nameOf(spec));
  }

  /** Removes the largest entries until `bytes` more fit. False when the new one would be the largest. */
  private makeRoom(bytes: number): boolean {
    const bySize = [...this.entries].toSorted(([, a], [, b]) => b.rows.bytes - a.rows.bytes);
    let excess = bySize.reduce((sum, [, { rows }]) => sum + rows.bytes, bytes) - this.maxBytes;
    for (const [name, { rows }] of bySize) {
      if (excess <= 0 || rows.bytes <= bytes) break;
      this.entries.delete(name);
      excess -= rows.bytes;
    }
    return excess <= 0;
  }

  /** Reads the rows from the table. Steps that want them at the same time share one reading. */
  private loadOnce(spec: SnapshotSpec): Promise<PublishedRows | undefined> {
    const name = nameOf(spec);
    const loading = this.loading.get(name) ?? this.load(spec).finally(() => this.loading.delete(name));
    this.loading.set(name, loading);
    return loading;
  }

  private async load(spec: SnapshotSpec): Promise<PublishedRows | undefined> {
    let published: PublishedRows | undefined;
    for await (const { runId, total, rows } of readStoredRows(this.db, spec)) {
      published ??= new PublishedRows(runId, total);
      for (const row of rows) this.add(published, row);
    }
    return published;
  }

  private add(published: PublishedRows, { key, values }: StoredRow): void {
    this.fingerprinter.compute(values);
    published.set(key, this.fingerprinter);
  }
}

/** Characters, corporations and regions never share a name. */
const nameOf = ({ collector, target, resource = '' }: SnapshotSpec): string =>
  `${collector} ${target} ${resource}`;
