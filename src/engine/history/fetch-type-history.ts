import { z } from 'zod';
import { EsiError } from '../../esi/esi-error.ts';
import { AppError } from '../../lib/errors.ts';
import { LOW_PRIORITY } from '../../esi/facts/priorities.ts';
import {
  addToRun,
  countHistoryTypes,
  countRejectedTypes,
  type HistoryAnswer,
  type HistoryDay,
  storeHistory,
} from '../../store/history/market-history.ts';
import { storeRejectedRows, type RejectedRow } from '../../store/sets/rejected-rows.ts';
import type { EngineContext, StepContext } from '../engine-context.ts';
import type { RunRef } from '../run/run-steps.ts';

/** History rolls over at 11:05 UTC with the static routes. */
export const ROLLS_AT = (11 * 60 + 5) * 60_000;

/** The day of the history clock: `2026-11-24` until 11:05 UTC of the 25th. */
export const historyDay = (now: number) => new Date(now - ROLLS_AT).toISOString().slice(0, 10);

/** Prices above are no prices; see market-orders. Volumes of a day reach 3e10. */
const price = z.number().nonnegative().max(1e14);
const day = z.object({
  date: z.iso.date().refine((d) => d > '2003' && d < '2100', 'no day of EVE'), // it began in May 2003
  average: price,
  highest: price,
  lowest: price,
  order_count: z.int().nonnegative(),
  volume: z.int().nonnegative(),
});

/** What became of a batch. */
interface Batch {
  readonly answers: HistoryAnswer[];
  /** Of the next day, which began while the batch was under way. */
  readonly early: HistoryAnswer[];
  readonly rejected: RejectedRow[];
  readonly failures: { readonly typeId: number; readonly error: unknown }[];
  requests: number;
}

/** Asks for a batch and stores what came, also when some failed: nothing that was had is asked for again. */
export async function fetchTypeHistories(
  engine: EngineContext,
  run: RunRef,
  regionId: number,
  today: string,
  types: readonly number[],
  context: StepContext,
): Promise<void> {
  const batch: Batch = { answers: [], early: [], rejected: [], failures: [], requests: 0 };
  await Promise.all(types.map((typeId) => fetchTypeHistory(engine, regionId, today, typeId, batch, context)));
  const { answers, early, rejected, failures, requests } = batch;
  await doubtRejections(engine, regionId, answers);
  // Where others were answered, a type that ESI cannot answer is at fault itself: it waits for tomorrow, and its days
  // come then. Or it would be asked with every batch, and in the end fail the run.
  if (answers.length > 0)
    answers.push(...failures.filter(isItsOwn).map(({ typeId }) => ({ typeId, days: [] })));
  const counts = await storeHistory(engine.db, regionId, today, answers);
  if (early.length > 0) {
    const more = await storeHistory(engine.db, regionId, historyDay(engine.clock.now()), early);
    for (const name of ['read', 'inserted', 'changed'] as const) counts[name] += more[name];
  }
  await storeRejectedRows(engine.db.pool, run, run.runId, rejected, new Date(engine.clock.now()));
  const { done, due } = await countHistoryTypes(engine.db.pool, regionId, today);
  await addToRun(
    engine.db.pool,
    run.runId,
    { ...counts, rejected: rejected.length, requests },
    { done, total: done + due },
  );
  context.heartbeat?.({ done, total: done + due });
  // A wait, or a batch of nothing but failures, is for the caller.
  const wait = failures.find(({ error }) => !(error instanceof EsiError) || error.verdict === 'wait');
  if (wait) throw wait.error;
  if (answers.length + early.length === 0 && failures[0]) throw failures[0].error;
}

/** So many types in a row are not all untradable by chance. */
const REJECTED_TOGETHER = 3;

/** When every type of a batch is rejected that never was before, the route is at fault and not the types. */
async function doubtRejections(
  engine: EngineContext,
  regionId: number,
  answers: readonly HistoryAnswer[],
): Promise<void> {
  if (answers.length < REJECTED_TOGETHER || answers.some((answer) => answer.days !== undefined)) return;
  const known = await countRejectedTypes(
    engine.db.pool,
    regionId,
    answers.map((answer) => answer.typeId),
  );
  if (known > 0) return;
  throw new AppError(
    `ESI rejects every type of region ${regionId}: that is not believed. The route may have changed, or the region has no market.`,
    { code: 'ESI_REJECTS_ALL', verdict: 'fail' },
  );
}

/** An answer of the server's trouble with just this request. */
function isItsOwn({ error }: Batch['failures'][number]): boolean {
  return error instanceof EsiError && error.verdict === 'retry' && error.status !== undefined;
}

async function fetchTypeHistory(
  engine: EngineContext,
  regionId: number,
  today: string,
  typeId: number,
  batch: Batch,
  context: StepContext,
): Promise<void> {
  try {
    const answer = await engine.esi.get({
      route: '/markets/{region_id}/history',
      params: { region_id: regionId },
      query: { type_id: String(typeId) },
      ...context,
      priority: LOW_PRIORITY,
    });
    batch.requests += answer.requests;
    const isEarly = answer.lastModified && historyDay(answer.lastModified.getTime()) > today;
    const days = readDays(answer.json, typeId, batch.rejected);
    (isEarly ? batch.early : batch.answers).push({ typeId, days });
  } catch (error) {
    if (error instanceof EsiError) batch.requests += error.requests;
    // 400 and 404: not tradable, or a region without a market. It is remembered, and asked ever more rarely.
    const isRejected = error instanceof EsiError && (error.status === 400 || error.status === 404);
    if (isRejected) batch.answers.push({ typeId, days: undefined });
    else batch.failures.push({ typeId, error });
  }
}

function readDays(json: unknown, typeId: number, rejected: RejectedRow[]): HistoryDay[] {
  if (!Array.isArray(json)) {
    rejected.push({ row: json, reason: `type ${typeId}: the answer is no list`, key: undefined });
    return [];
  }
  const days = new Map<string, HistoryDay>();
  for (const row of json as unknown[]) {
    const parsed = day.safeParse(row);
    if (parsed.success) days.set(parsed.data.date, parsed.data);
    else
      rejected.push({
        row,
        reason:
          `type ${typeId}: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join(', ')}`.slice(
            0,
            500,
          ),
        key: undefined,
      });
  }
  return [...days.values()];
}
