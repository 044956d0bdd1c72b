import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import type { EsiResponse } from '../../esi/esi-request.ts';
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

/** What ESI answered for a type with a market. */
interface TypeHistory {
  readonly typeId: number;
  /** The day of market history that the answer belongs to: the next one where that began meanwhile. */
  readonly historyDay: string;
  readonly days: readonly HistoryDay[];
  readonly rejected: readonly RejectedRow[];
}

/** The results of a batch of types besides the histories, which are stored as they come. */
interface Batch {
  stored: number;
  /** Types that ESI rejected. */
  readonly rejectedTypes: number[];
  readonly failures: { readonly typeId: number; readonly error: unknown }[];
  requests: number;
}

/** Fetches a batch of types. Each answer is stored as it comes, so that a process that is killed loses none of them. */
export async function fetchTypeHistories(history: HistoryRun, types: readonly number[]): Promise<void> {
  const { engine, run, regionId, today, step } = history;
  const { pool } = engine.db;
  const batch: Batch = { stored: 0, rejectedTypes: [], failures: [], requests: 0 };
  const store = createWriter(history);
  await allSettledOrThrow(types.map((typeId) => fetchTypeHistory(history, typeId, batch, store)));
  const { stored, rejectedTypes, failures, requests } = batch;
  if (stored === 0) await checkRejections(history, rejectedTypes);
  const answers: HistoryAnswer[] = rejectedTypes.map((typeId) => ({ typeId, days: undefined }));
  const hasAnswers = stored + answers.length > 0;
  // Where other types were answered, a type that ESI fails for is at fault itself. It counts as requested today and its
  // days come tomorrow; otherwise it would be requested with every batch and finally fail the run.
  if (hasAnswers) for (const { typeId } of failures.filter(isOfOneType)) answers.push({ typeId, days: [] });
  await addRunCounts(pool, run.runId, await storeHistory(engine.db, regionId, today, answers));
  await addRunCounts(pool, run.runId, { requests });
  const { done, due } = await countHistoryTypes(pool, regionId, today);
  const progress = { done, total: done + due };
  await writeProgress(pool, run.runId, progress);
  step.heartbeat?.(progress);
  // A wait, or a batch in which everything failed, is thrown to the caller.
  const fatal = failures.find(({ error }) => !(error instanceof EsiError) || error.verdict === 'wait');
  if (fatal) throw fatal.error;
  if (!hasAnswers && failures[0]) throw failures[0].error;
}

/** Stores histories as they come. Those that gather during a write go with the next one. */
function createWriter({ engine, run, regionId }: HistoryRun): (history: TypeHistory) => Promise<void> {
  const gathered: TypeHistory[] = [];
  let writing = Promise.resolve();
  const write = async () => {
    const now = new Date(engine.clock.now());
    const histories = gathered.splice(0);
    for (const day of new Set(histories.map((history) => history.historyDay))) {
      const ofDay = histories.filter((history) => history.historyDay === day);
      const counts = await storeHistory(engine.db, regionId, day, ofDay);
      const rejected = ofDay.flatMap((history) => history.rejected);
      await storeRejectedRows(engine.db.pool, run, run.runId, rejected, now);
      await addRunCounts(engine.db.pool, run.runId, { ...counts, rejected: rejected.length });
    }
  };
  return (history) => {
    gathered.push(history);
    writing = writing.then(write);
    return writing;
  };
}

/** This many rejected types in a row are not all untradable by chance. */
const SUSPECT_REJECTIONS = 3;

/** When every type of a batch is rejected for the first time, the route is at fault and not the types. */
async function checkRejections({ engine, regionId }: HistoryRun, typeIds: readonly number[]): Promise<void> {
  if (typeIds.length < SUSPECT_REJECTIONS) return;
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

async function fetchTypeHistory(
  history: HistoryRun,
  typeId: number,
  batch: Batch,
  store: (history: TypeHistory) => Promise<void>,
): Promise<void> {
  const answer = await requestTypeHistory(history, typeId, batch);
  if (!answer) return;
  const lastModified = answer.lastModified ?? new Date(0);
  const ownDay = historyDay(lastModified.getTime());
  await store({
    typeId,
    historyDay: ownDay > history.today ? ownDay : history.today,
    ...validateDays(answer.json, typeId),
  });
  batch.stored++;
}

/** The answer for a type; undefined where ESI gives none, which is noted in the batch. */
async function requestTypeHistory(
  { engine, regionId, step }: HistoryRun,
  typeId: number,
  batch: Batch,
): Promise<EsiResponse | undefined> {
  try {
    const answer = await engine.esi.get({
      route: '/markets/{region_id}/history',
      params: { region_id: regionId },
      query: { type_id: String(typeId) },
      ...step,
      priority: LOW_PRIORITY,
    });
    batch.requests += answer.requests;
    return answer;
  } catch (error) {
    if (error instanceof EsiError) batch.requests += error.requests;
    // 400 and 404: not tradable, or a region without a market. It is recorded and requested less and less often.
    const isRejected = error instanceof EsiError && (error.status === 400 || error.status === 404);
    if (isRejected) batch.rejectedTypes.push(typeId);
    else batch.failures.push({ typeId, error });
    return undefined;
  }
}

/** The valid days of an answer, the last one of each date, and what else it holds. */
function validateDays(json: unknown, typeId: number): Pick<TypeHistory, 'days' | 'rejected'> {
  const rejected: RejectedRow[] = [];
  const reject = (row: unknown, reason: string) =>
    rejected.push({ row, reason: `type ${typeId}: ${reason}`, key: undefined });
  const days = new Map<string, HistoryDay>();
  if (json !== undefined && !Array.isArray(json)) reject(json, 'the answer is not a list');
  // A 204 has no body: no trades.
  for (const row of Array.isArray(json) ? (json as unknown[]) : []) {
    const { data, error } = parseRow(day, row);
    if (data) days.set(data.date, data);
    else reject(row, formatIssues(error));
  }
  return { days: [...days.values()], rejected };
}
