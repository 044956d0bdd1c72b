import { rm } from 'node:fs/promises';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';
import { STATIC_TABLE_NAMES, type StaticTableName } from '../../store/universe/static-tables.ts';
import { copyInto, encodeRows } from '../../store/copy.ts';
import { storeRejectedRows, type RejectedRow } from '../../store/sets/rejected-rows.ts';
import { createStaticStage, mergeStatic, staticColumns, withFlag } from '../../store/universe/static-rows.ts';
import { suspectRejections } from '../run/check-snapshot.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef } from '../run/run-steps.ts';
import { broken, openArchive, type SdeArchive } from './sde-archive.ts';
import { readNames, SDE_SOURCES, type SdeNames } from './sde-static-rows.ts';

export interface ImportCounts {
  read: number;
  rejected: number;
  inserted: number;
  changed: number;
}

/** Lines that are encoded and sent together: large enough for COPY, small enough for memory. */
const BATCH = 2_000;

/**
 * Imports an archive of the SDE into the static tables, within the caller's transaction: whoever reads meanwhile, or
 * after a kill, sees the old universe whole. Rows that fail validation are rejected one by one.
 * Throws AppError SDE_BROKEN when the archive cannot be read; it is removed, so that it is had anew.
 */
export async function importSde(
  engine: EngineContext,
  client: PoolClient,
  run: RunRef,
  file: string,
  context: StepContext,
): Promise<ImportCounts> {
  const counts: ImportCounts = { read: 0, rejected: 0, inserted: 0, changed: 0 };
  let archive: SdeArchive | undefined;
  try {
    archive = await openArchive(file);
    const opened = archive;
    const missing = STATIC_TABLE_NAMES.filter((table) => !opened.has(SDE_SOURCES[table].file));
    if (missing.length > 0)
      throw broken(new Error(`it has no ${missing.map((t) => SDE_SOURCES[t].file).join(', ')}`));
    const names = await readNames(archive);
    for (const table of STATIC_TABLE_NAMES) {
      context.signal?.throwIfAborted();
      context.heartbeat?.({ table });
      const merged = await importTable(engine, client, run, archive, names, table, counts, context);
      counts.inserted += merged.inserted;
      counts.changed += merged.changed;
    }
    return counts;
  } catch (error) {
    if (error instanceof AppError && error.code === 'SDE_BROKEN') await rm(file, { force: true });
    throw error;
  } finally {
    archive?.close();
  }
}

async function importTable(
  engine: EngineContext,
  client: PoolClient,
  run: RunRef,
  archive: SdeArchive,
  names: SdeNames,
  table: StaticTableName,
  counts: ImportCounts,
  context: StepContext,
) {
  const rejected: RejectedRow[] = [];
  let read = 0;
  const source = SDE_SOURCES[table];
  const { file } = source;
  const columns = staticColumns(table);
  async function* lines(): AsyncGenerator<string> {
    let rows = [];
    for await (const record of archive.records(file)) {
      read++;
      try {
        rows.push(withFlag(source.toRow(record, names)));
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        rejected.push({ row: record, reason: `${file}: ${reason(error)}`, key: undefined });
      }
      if (rows.length < BATCH) continue;
      context.heartbeat?.({ table, rows: read });
      yield encodeRows(columns, rows);
      rows = [];
    }
    if (rows.length > 0) yield encodeRows(columns, rows);
  }
  const stage = `sde_${table}`;
  await createStaticStage(client, table, stage);
  await copyInto(client, stage, columns, lines());
  const doubt = suspectRejections(read - rejected.length, rejected.length);
  if (doubt !== undefined)
    throw new AppError(`${file}: ${doubt}`, { code: 'SDE_BAD_SHAPE', verdict: 'fail' });
  await storeRejectedRows(client, run, run.runId, rejected, new Date(engine.clock.now()));
  counts.read += read;
  counts.rejected += rejected.length;
  return mergeStatic(client, table, stage);
}

const reason = (error: z.ZodError) =>
  error.issues
    .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    .join(', ')
    .slice(0, 500);
