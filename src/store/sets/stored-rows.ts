import type { PoolClient } from 'pg';
import type { Database } from '../database.ts';
import { columnList } from '../sql-fragments.ts';
import { readPublishedSnapshot } from './published-snapshots.ts';
import { isPublished, rowColumns, type SnapshotSpec } from './snapshot-spec.ts';

/** A row as the table holds it. */
export interface StoredRow {
  /** Decimal digits, exact for every id of 64 bits. */
  readonly key: string;
  /** Its other columns that ESI's rows fill, as the JSON text of a list. */
  readonly values: string;
}

/** The rows of a published snapshot, a part of them at a time. */
export interface StoredRows {
  /** The run that published the snapshot. */
  readonly runId: number;
  /** Rows of the whole snapshot, when it was published. */
  readonly total: number;
  readonly rows: readonly StoredRow[];
}

/** Rows fetched at a time: some 10 ms of work, between which other work goes on. */
const FETCH = 5_000;

/** What makes a StoredRow of a row of the table. */
export function storedRow(spec: SnapshotSpec, alias: string): string {
  const values = columnList(rowColumns(spec), `${alias}.`);
  return `${alias}."${spec.key[0]}"::text AS key, json_build_array(${values})::text AS values`;
}

/** Reads the rows of the snapshot that is published now, all of the same moment. Yields nothing when there is none. */
export async function* readPublishedRows(db: Database, spec: SnapshotSpec): AsyncGenerator<StoredRows> {
  const client = await db.pool.connect();
  let isDone = false;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    yield* fetchRows(client, spec);
    await client.query('COMMIT');
    isDone = true;
  } finally {
    client.release(!isDone); // closing the connection ends the transaction
  }
}

async function* fetchRows(client: PoolClient, spec: SnapshotSpec): AsyncGenerator<StoredRows> {
  const published = await readPublishedSnapshot(client, spec);
  if (!published || published.runId === 0) return;
  await client.query(
    `DECLARE published NO SCROLL CURSOR FOR
     SELECT ${storedRow(spec, 'b')} FROM ${spec.table} b WHERE ${isPublished(spec, 'b')}`,
  );
  for (;;) {
    const { rows } = await client.query<StoredRow>(`FETCH ${FETCH} FROM published`);
    yield { runId: published.runId, total: published.rows, rows };
    if (rows.length < FETCH) return;
  }
}
