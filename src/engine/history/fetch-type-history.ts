import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { parseRow } from '../../esi/facts/parse-row.ts';
import { LOW_PRIORITY } from '../../esi/facts/priorities.ts';
import { allSettledOrThrow } from '../../lib/concurrency.ts';
import { HOUR, MINUTE } from '../../lib/duration.ts';
import { AppError } from '../../lib/errors.ts';
import {
  countHistoryTypes,
  countRejectedTypes,
  type HistoryAnswer,
  type HistoryDay,
  storeHistory,
} from '../../store/history/history-store.ts';
import { storeRejectedRows, type RejectedRow } from '../../store/sets/rejected-rows.ts';
import { writeProgress } from '../../store/sets/run-progress.ts';
import { addRunCounts } from '../../store/sets/runs.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef } from '../run/run-steps.ts';
import { formatIssues } from '../run/validate-rows.ts';

/** Market history rolls over at 11:05 UTC, with the static routes. */
export const ROLLOVER = 11 * HOUR + 5 * MINUTE;

/** The day of market history: `2026-11-24` until 11:05 UTC of the 25th. */
export const historyDay = (now: number) => new Date(now - ROLLOVER).toISOString().slice(0, 10);

/** Higher prices are errors, see market-orders. The volume of a day reaches 3e10. */
const price = z.number().nonnegative().max(1e14);
const day = z.object({
  date: z.iso.date().refine((date) => date > '2003' && date < '2100', 'not a day of EVE'), // which began in May 2003
  average: price,
  highest: price,
  lowest: price,
  order_count: z.int().nonnegative(),
  volume: z.int().nonnegative(),
});

/** An open run of market history. */
export interface HistoryRun {
  readonly engine: EngineContext;
  readonly run: RunRef;
  readonly regionId: number;
  /** The day of market history that it collects, see historyDay. */
  readonly today: string;
  readonly step: StepContext;
}

/** The results of a batch of types. */
interface Batch {
  readonly answers: HistoryAnswer[];
  /** Answers of the next day, which began during the batch. */
  readonly nextDay: HistoryAnswer[];
  readonly rejected: RejectedRow[];
  readonly failures: { readonly typeId: number; readonly error: unknown }[];
  requests: number;
}

/** Fetches a batch of types and stores the answers, also when some fail, so that no answer is requested twice. */
export async function fetchTypeHistories(history: HistoryRun, types: readonly number[]): Promise<void> {
  const { engine, run, regionId, today, step } = history;
  const { pool } = engine.db;
  const batch: Batch = { answers: [], nextDay: [], rejected: [], failures: [], requests: 0 };
  await allSettledOrThrow(types.map((typeId) => fetchTypeHistory(history, typeId, batch)));
  const { answers, nextDay, rejected, failures, requests } = batch;
  await checkRejections(history, answers);
  // Where other types were answered, a type that ESI fails for is at fault itself. It counts as requested today and its
  // days come tomorrow; otherwise it would be requested with every batch and finally fail the run.
  if (answers.length > 0)
    for (const { typeId } of failures.filter(isOfOneType)) answers.push({ typeId, days: [] });
  const stored = [await storeHistory(engine.db, regionId, today, answers)];
  if (nextDay.length > 0)
    stored.push(await storeHistory(engine.db, regionId, historyDay(engine.clock.now()), nextDay));
  await storeRejectedRows(pool, run, run.runId, rejected, new Date(engine.clock.now()));
  for (const counts of stored) await addRunCounts(pool, run.runId, counts);
  await addRunCounts(pool, run.runId, { rejected: rejected.length, requests });
  const { done, due } = await countHistoryTypes(pool, regionId, today);
  const progress = { done, total: done + due };
  await writeProgress(pool, run.runId, progress);
  step.heartbeat?.(progress);
  // A wait, or a batch in which everything failed, is thrown to the caller.
  const fatal = failures.find(({ error }) => !(error instanceof EsiError) || error.verdict === 'wait');
  if (fatal) throw fatal.error;
  if (answers.length + nextDay.length === 0 && failures[0]) throw failures[0].error;
}

/** This many rejected types in a row are not all untradable by chance. */
const SUSPECT_REJECTIONS = 3;

/** When every type of a batch is rejected for the first time, the route is at fault and not the types. */
async function checkRejections(
  { engine, regionId }: HistoryRun,
  answers: readonly HistoryAnswer[],
): Promise<void> {
  if (answers.length < SUSPECT_REJECTIONS || answers.some(({ days }) => days !== undefined)) return;
  const typeIds = answers.map(({ typeId }) => typeId);
  if ((await countRejectedTypes(engine.db.pool, regionId, typeIds)) > 0) return;
  throw new AppError(
    `ESI rejects every type of region ${regionId}. The route may have changed, or the region has no market.`,
    { code: 'ESI_REJECTS_ALL', verdict: 'fail' },
  );
}

/** Whether the server failed for this request only. */
function isOfOneType({ error }: Batch['failures'][number]): boolean {
  return error instanceof EsiError && error.verdict === 'retry' && error.status !== undefined;
}

async function fetchTypeHistory(history: HistoryRun, typeId: number, batch: Batch): Promise<void> {
  const { engine, regionId, today, step } = history;
  try {
    const answer = await engine.esi.get({
      route: '/markets/{region_id}/history',
      params: { region_id: regionId },
      query: { type_id: String(typeId) },
      ...step,
      priority: LOW_PRIORITY,
    });
    batch.requests += answer.requests;
    const isOfNextDay = answer.lastModified && historyDay(answer.lastModified.getTime()) > today;
    const days = validateDays(answer.json, typeId, batch.rejected);
    (isOfNextDay ? batch.nextDay : batch.answers).push({ typeId, days });
  } catch (error) {
    if (error instanceof EsiError) batch.requests += error.requests;
    // 400 and 404: not tradable, or a region without a market. It is recorded and requested less and less often.
    const isRejected = error instanceof EsiError && (error.status === 400 || error.status === 404);
    if (isRejected) batch.answers.push({ typeId, days: undefined });
    else batch.failures.push({ typeId, error });
  }
}

/** The valid days of an answer, the last one of each date. Others are added to `rejected`. */
function validateDays(json: unknown, typeId: number, rejected: RejectedRow[]): HistoryDay[] {
  const reject = (row: unknown, reason: string) =>
    rejected.push({ row, reason: `type ${typeId}: ${reason}`, key: undefined });
  if (json === undefined) return []; // 204: no trades
  if (!Array.isArray(json)) {
    reject(json, 'the answer is not a list');
    return [];
  }
  const days = new Map<string, HistoryDay>();
  for (const row of json as unknown[]) {
    const { data, error } = parseRow(day, row);
    if (data) days.set(data.date, data);
    else reject(row, formatIssues(error));
  }
  return [...days.values()];
}
