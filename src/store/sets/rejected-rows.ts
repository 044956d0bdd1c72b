import type { PoolClient } from 'pg';
import type { SnapshotSpec } from './snapshot-spec.ts';

/** A page full of rubbish is told by its first hundred rows; the rest is counted. */
const REJECTED_KEPT_PER_PAGE = 100;

/** A stored row serves a person who looks for the reason; a megabyte of it would not help him. */
const LONGEST_REJECTED = 4_000;

/** What JSON can write and jsonb has no place for: U+0000 and halves of characters. */
const NOT_IN_JSONB = /\\u(?:0000|d[89a-f])/;

/** A row of an answer that is not believed. */
export interface RejectedRow {
  readonly row: unknown;
  readonly reason: string;
  /** The key's values when they could be read: the row exists, though what it says is not believed. */
  readonly key: Readonly<Record<string, unknown>> | undefined;
}

/** Keeps rows that were rejected with their reasons, for people: of a page the first hundred. */
export async function storeRejectedRows(
  client: Pick<PoolClient, 'query'>,
  spec: Pick<SnapshotSpec, 'collector' | 'target'>,
  runId: number,
  rejected: readonly RejectedRow[],
  now: Date,
): Promise<void> {
  if (rejected.length === 0) return;
  const kept = rejected.slice(0, REJECTED_KEPT_PER_PAGE).map(({ row, reason }) => {
    const text = JSON.stringify(row) ?? 'null';
    if (text.length <= LONGEST_REJECTED && !NOT_IN_JSONB.test(text)) return { row, reason };
    return {
      row: text.slice(0, LONGEST_REJECTED).replaceAll(/\\u(?:0000|d[89a-f]..)|[\ud800-\udfff]/g, ''),
      reason,
    };
  });
  await client.query(
    `INSERT INTO rejected_rows (run_id, collector, target, row, reason, seen_at)
     SELECT $1, $2, $3, r.row, r.reason, $5 FROM json_to_recordset($4) AS r (row jsonb, reason text)`,
    [runId, spec.collector, spec.target, JSON.stringify(kept), now],
  );
}
