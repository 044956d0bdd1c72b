import type { PoolClient } from 'pg';
import { z } from 'zod';
import { copyInto } from '../../store/copy.ts';
import { MAX_STORED_PER_PAGE, type RejectedRow } from '../../store/sets/rejected-rows.ts';
import {
  countAbsentRows,
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
import type { StepContext } from '../engine-context.ts';
import { isSuddenLoss, suspectRejections } from '../run/check-snapshot.ts';
import { formatIssues } from '../run/validate-rows.ts';
import { brokenArchive, openArchive, type SdeArchive } from './sde-archive.ts';
import { readNames, SDE_SOURCES, type SdeNames } from './sde-static-rows.ts';

/** What an import did, in rows. */
export interface SdeImportResult {
  read: number;
  rejected: number;
  inserted: number;
  changed: number;
  /** The first invalid rows of each file. */
  readonly invalid: RejectedRow[][];
  /** Files with so many invalid rows that the fault may be ours, in words. */
  readonly unread: string[];
  /** Files that lack so many known rows that the next build has to confirm it, in words. */
  readonly losses: string[];
}

/** Rows that are encoded and sent together: large enough for COPY, small enough for memory. */
const BATCH = 2_000;

/** What the import of each table needs. */
interface SdeImport {
  readonly client: PoolClient;
  readonly archive: SdeArchive;
  readonly names: SdeNames;
  readonly step: StepContext;
}

/**
 * Imports an archive of the SDE into the static tables within the caller's transaction, so that other readers, and
 * readers after a kill, see the old universe complete. Rows that fail validation are left out one by one.
 * Throws AppError SDE_BROKEN when the archive cannot be read, or says that it is another build.
 */
export async function importSde(
  client: PoolClient,
  { file, build }: { readonly file: string; readonly build: number },
  step: StepContext,
): Promise<SdeImportResult> {
  const result: SdeImportResult = {
    read: 0,
    rejected: 0,
    inserted: 0,
    changed: 0,
    invalid: [],
    unread: [],
    losses: [],
  };
  let archive: SdeArchive | undefined;
  try {
    archive = await openArchive(file);
    const opened = archive;
    const files = STATIC_TABLE_NAMES.map((table) => SDE_SOURCES[table].file);
    const missing = files.filter((name) => !opened.has(name));
    if (missing.length > 0) throw brokenArchive(new Error(`it has no ${missing.join(', ')}`));
    await assertBuild(archive, build);
    const names = await readNames(archive);
    for (const table of STATIC_TABLE_NAMES) {
      step.signal?.throwIfAborted();
      step.heartbeat?.({ table });
      await importTable({ client, archive, names, step }, table, result);
    }
    return result;
  } finally {
    archive?.close();
  }
}

/** The line of `_sde.jsonl`. It names the build and its date, and no sizes or counts: those are in the zip's directory. */
const headerLine = z.object({ _key: z.literal('sde'), buildNumber: z.int() });

/** An archive that names no build is not refused for that: its address names it. */
async function assertBuild(archive: SdeArchive, build: number): Promise<void> {
  for await (const record of archive.records('_sde')) {
    const found = headerLine.safeParse(record).data?.buildNumber;
    if (found !== undefined && found !== build)
      throw brokenArchive(new Error(`it holds build ${found} instead of ${build}`));
  }
}

/** The key of a record that is invalid elsewhere. */
const recordKey = z.object({ _key: z.int().nonnegative() });

/** Imports one table and adds to `result`. */
async function importTable(
  { client, archive, names, step }: SdeImport,
  table: StaticTableName,
  result: SdeImportResult,
): Promise<void> {
  const invalid: RejectedRow[] = [];
  const invalidKeys: number[] = [];
  let [read, rejected] = [0, 0];
  const { file, toRow } = SDE_SOURCES[table];
  const reject = (record: unknown, error: z.ZodError) => {
    rejected++;
    const key = recordKey.safeParse(record).data?._key;
    if (key !== undefined) invalidKeys.push(key);
    if (invalid.length < MAX_STORED_PER_PAGE)
      invalid.push({ row: record, reason: `${file}: ${formatIssues(error)}`, key: undefined });
  };
  async function* batches(): AsyncGenerator<string> {
    let rows: StaticRow[] = [];
    for await (const record of archive.records(file)) {
      read++;
      try {
        rows.push(toRow(record, names));
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        reject(record, error);
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
  const { known, absent } = await countAbsentRows(client, table, stage, invalidKeys);
  if (isSuddenLoss(absent, known)) result.losses.push(`${file}: ${absent} of ${known} rows are missing`);
  if (suspectRejections(read - rejected, rejected) !== undefined)
    result.unread.push(`${file}: ${rejected} of ${read} rows failed validation`);
  const { inserted, changed } = await mergeStatic(client, table, stage);
  result.invalid.push(invalid);
  result.read += read;
  result.rejected += rejected;
  result.inserted += inserted;
  result.changed += changed;
}
