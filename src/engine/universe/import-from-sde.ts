import type { PoolClient } from 'pg';
import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';
import { copyInto } from '../../store/copy.ts';
import { storeRejectedRows, type RejectedRow } from '../../store/sets/rejected-rows.ts';
import {
  createStaticStage,
  encodeStaticRows,
  importColumns,
  mergeStatic,
} from '../../store/universe/static-rows.ts';
import {
  STATIC_TABLE_NAMES,
  type StaticRow,
  type StaticTableName,
} from '../../store/universe/static-tables.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import { suspectRejections } from '../run/check-snapshot.ts';
import type { RunRef } from '../run/run-steps.ts';
import { formatIssues } from '../run/validate-rows.ts';
import { brokenArchive, openArchive, type SdeArchive } from './sde-archive.ts';
import { readNames, SDE_SOURCES, type SdeNames } from './sde-static-rows.ts';

/** Rows of an import. */
export interface ImportCounts {
  read: number;
  rejected: number;
  inserted: number;
  changed: number;
}

/** Rows that are encoded and sent together: large enough for COPY, small enough for memory. */
const BATCH = 2_000;

/** Invalid rows of a file: a tenth of the largest, the types, is too many anyway, and more would only take memory. */
const MAX_REJECTED = 10_000;

const badShape = (file: string, reason: string) =>
  new AppError(`${file}: ${reason}`, { code: 'SDE_BAD_SHAPE', verdict: 'fail' });

/** What the import of each table needs. */
interface SdeImport {
  readonly engine: EngineContext;
  readonly client: PoolClient;
  readonly run: RunRef;
  readonly archive: SdeArchive;
  readonly names: SdeNames;
  readonly step: StepContext;
}

/**
 * Imports an archive of the SDE into the static tables within the caller's transaction, so that other readers, and
 * readers after a kill, see the old universe complete. Rows that fail validation are rejected one by one.
 * Throws AppError SDE_BROKEN when the archive cannot be read.
 */
export async function importSde(
  engine: EngineContext,
  client: PoolClient,
  run: RunRef,
  file: string,
  step: StepContext,
): Promise<ImportCounts> {
  const counts: ImportCounts = { read: 0, rejected: 0, inserted: 0, changed: 0 };
  let archive: SdeArchive | undefined;
  try {
    archive = await openArchive(file);
    const opened = archive;
    const files = STATIC_TABLE_NAMES.map((table) => SDE_SOURCES[table].file);
    const missing = files.filter((name) => !opened.has(name));
    if (missing.length > 0) throw brokenArchive(new Error(`it has no ${missing.join(', ')}`));
    const names = await readNames(archive);
    for (const table of STATIC_TABLE_NAMES) {
      step.signal?.throwIfAborted();
      step.heartbeat?.({ table });
      await importTable({ engine, client, run, archive, names, step }, table, counts);
    }
    return counts;
  } finally {
    archive?.close();
  }
}

/** Imports one table and adds to `counts`. */
async function importTable(
  { engine, client, run, archive, names, step }: SdeImport,
  table: StaticTableName,
  counts: ImportCounts,
): Promise<void> {
  const rejected: RejectedRow[] = [];
  let read = 0;
  const { file, toRow } = SDE_SOURCES[table];
  async function* batches(): AsyncGenerator<string> {
    let rows: StaticRow[] = [];
    for await (const record of archive.records(file)) {
      read++;
      try {
        rows.push(toRow(record, names));
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        if (rejected.length >= MAX_REJECTED)
          throw badShape(file, `more than ${MAX_REJECTED} rows failed validation`);
        rejected.push({ row: record, reason: `${file}: ${formatIssues(error)}`, key: undefined });
      }
      if (rows.length < BATCH) continue;
      step.heartbeat?.({ table, rows: read });
      yield encodeStaticRows(table, rows);
      rows = [];
    }
    yield encodeStaticRows(table, rows);
  }
  const stage = `sde_${table}`;
  await createStaticStage(client, table, stage);
  await copyInto(client, stage, importColumns(table), batches());
  const reason = suspectRejections(read - rejected.length, rejected.length);
  if (reason !== undefined) throw badShape(file, reason);
  await storeRejectedRows(client, run, run.runId, rejected, new Date(engine.clock.now()));
  const { inserted, changed } = await mergeStatic(client, table, stage);
  counts.read += read;
  counts.rejected += rejected.length;
  counts.inserted += inserted;
  counts.changed += changed;
}
